"""What may leave of what was let go, from tables that are dictionaries. On a real kernel: test_live_lock.py."""

import ctypes
from collections.abc import Iterator

from chaperone.agent.hold.disconnect import Sockets
from chaperone.agent.hold.layout import Call, CallKey
from chaperone.agent.hold.underway import UNSENT_LIMIT, UnderWay, under_way
from chaperone.agent.trace.layout import Stream, StreamKey
from chaperone.proto.records import Direction

KEY = StreamKey(1, 0x5000, 42, 0)
OUT, IN = Direction.OUT, Direction.IN


class Queue(Sockets):
    """A socket with so much in its queue."""

    def __init__(self, size: int | None) -> None:
        self.size = size

    def queued(self, pid: int, handle: int) -> int | None:
        return self.size if (pid, handle) == (KEY.pid, KEY.handle) else None


class Tables:
    """The kernel's."""

    def __init__(self, *calls: Call, position: int = 5000, pid: int = 42, unsent: tuple[StreamKey, ...] = ()) -> None:
        keys = [CallKey(number, 0, pid) for number in range(len(calls))]
        self.keys = {"calls": [*keys, *keys], "unsent": list(unsent)}  # a map that changes gives some twice
        self.values = {bytes(key): call for key, call in zip(keys, calls, strict=True)}
        self.stream = Stream(1, KEY.handle, (position, 9))

    def entries(self, name: str, key: type[ctypes.Structure]) -> Iterator[ctypes.Structure]:
        yield from self.keys[name]

    def entry(self, name: str, mirror: type[ctypes.Structure], key: ctypes.Structure) -> ctypes.Structure | None:
        return self.stream if name == "streams" else self.values.get(bytes(key))


def call(size: int, direction: Direction = OUT, handle: int = KEY.handle, held: int = 0) -> Call:
    return Call(handle=handle, direction=direction, size=size, held=held)


def found(tables: Tables, queued: int | None = 700) -> UnderWay | None:
    return under_way(tables, Queue(queued), KEY)  # type: ignore[arg-type]


def test_what_was_accepted_may_leave_and_what_its_socket_has_of_a_call_that_comes_again() -> None:
    assert found(Tables()) == UnderWay(5000, 700)


def test_a_write_that_has_begun_goes_on_to_its_end() -> None:
    others = call(1, IN), call(2, handle=0x6000), call(4, held=1)
    assert found(Tables(*others)) == UnderWay(5000, 700)
    assert found(Tables(call(300), *others, call(20))) == UnderWay(5320, 0)
    assert found(Tables(call(300), pid=43)) == UnderWay(5000, 700)


def test_gnutls_keeps_a_record_that_it_has_encrypted() -> None:
    assert found(Tables(unsent=(StreamKey(1, 0x6000, 42, 0),))) == UnderWay(5000, 700)
    assert found(Tables(unsent=(KEY,))) == UnderWay(5000, 700 + UNSENT_LIMIT)
    assert found(Tables(call(3), unsent=(KEY,))) == UnderWay(5003, 700 + UNSENT_LIMIT), "and sends it in whichever call comes next"


def test_one_that_gnutls_comes_to_keep_meanwhile_counts() -> None:
    tables, looks = Tables(), iter([(), (KEY,)])
    entries = tables.entries

    def changing(name: str, key: type[ctypes.Structure]) -> Iterator[ctypes.Structure]:
        yield from next(looks) if name == "unsent" else entries(name, key)

    tables.entries = changing  # type: ignore[method-assign]
    assert found(tables) == UnderWay(5000, 700 + UNSENT_LIMIT)


def test_without_its_socket_nothing_is_known() -> None:
    assert found(Tables(), None) is None
