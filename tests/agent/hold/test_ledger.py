"""What may leave, as arithmetic: over a kernel that is a dictionary."""

import ctypes

from chaperone.agent.hold.lane import NEVER
from chaperone.agent.hold.layout import Object, Released, Spent
from chaperone.agent.hold.ledger import LINGER_NS, UNLIMITED, Ledger
from chaperone.agent.trace.layout import StreamKey

GROUP = 77
KEY, OTHER = StreamKey(1, 0x5000, 42, 0), StreamKey(1, 0x6000, 42, 0)


class Maps:
    """The kernel's."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, bytes], ctypes.Structure] = {}

    def entry(self, name: str, mirror: type[ctypes.Structure], key: Object) -> ctypes.Structure | None:
        return self.held.get((name, bytes(key)))

    def store(self, name: str, value: ctypes.Structure, key: Object) -> None:
        self.held[name, bytes(key)] = value

    def remove(self, name: str, key: Object) -> None:
        self.held.pop((name, bytes(key)), None)

    def may(self, handle: int, pid: int = 42) -> int:
        found = self.held.get(("released", bytes(Object(handle, pid))))
        return found.bytes if isinstance(found, Released) else -1

    def spend(self, key: StreamKey, bytes_: int, ties: int = 1) -> None:
        self.store("spent", Spent(bytes_, ties), Object(key.handle, key.pid))


def ledger(covers: bool = False) -> tuple[Maps, Ledger]:
    maps = Maps()
    made = Ledger(maps, GROUP, covers)  # type: ignore[arg-type]
    made.begin(KEY)
    return maps, made


def test_what_was_decided_may_leave_once_however_often_it_is_said() -> None:
    maps, made = ledger()
    for _ in range(2):
        made.leaves(KEY, 100)
    made.leaves(KEY, 60)  # a write that comes again
    assert maps.may(KEY.handle) == 100


def test_skipped_bytes_do_not_leave_and_what_stands_for_them_does() -> None:
    maps, made = ledger()
    made.leaves(KEY, 100, -100)
    assert maps.may(KEY.handle) == 0
    made.leaves(KEY, 150, 30)  # 80 in the place of 50
    assert maps.may(KEY.handle) == 80


def test_what_is_not_held_may_leave_up_to_there_or_without_end() -> None:
    maps, made = ledger()
    made.unheld(KEY, 0)
    assert maps.may(KEY.handle) == -1
    made.unheld(KEY, 5000)
    assert maps.may(KEY.handle) == 5000
    made.unheld(KEY, NEVER)
    made.leaves(KEY, 5010)
    assert maps.may(KEY.handle) == UNLIMITED


def test_one_that_is_held_again_may_send_what_was_let_go_before() -> None:
    maps, made = ledger()
    made.leaves(KEY, 100, 20)
    made.unheld(KEY, NEVER)
    assert made.is_free(KEY)
    maps.spend(KEY, 4020)
    made.hold_again(KEY, 5000, 0)
    assert maps.may(KEY.handle) == 5020 and not made.is_free(KEY)
    made.leaves(KEY, 5010)
    assert maps.may(KEY.handle) == 5030


def test_of_a_call_that_comes_again_a_part_may_have_left_before_it_is_decided() -> None:
    maps, made = ledger()
    made.unheld(KEY, NEVER)
    maps.spend(KEY, 7000)
    made.hold_again(KEY, 5000, 1500)
    assert maps.may(KEY.handle) == 8500
    made.leaves(KEY, 9000)
    assert maps.may(KEY.handle) == 9000, "and is counted once"


def test_the_next_object_at_an_address_begins_with_what_the_last_one_may() -> None:
    """Some of that may be under way still; the kernel counts on."""
    maps, made = ledger()
    made.leaves(KEY, 100)
    made.begin(KEY)
    made.leaves(KEY, 10)
    assert maps.may(KEY.handle) == 110


def test_behind_one_without_end_only_what_has_left_is_known() -> None:
    maps, made = ledger()
    made.unheld(KEY, NEVER)
    maps.spend(KEY, 7000)
    made.begin(KEY)
    made.leaves(KEY, 10)
    assert maps.may(KEY.handle) == 7010


def test_until_its_socket_is_known_a_workloads_objects_share_an_account() -> None:
    maps, made = ledger(covers=True)
    made.begin(OTHER)
    made.leaves(KEY, 100)
    made.leaves(OTHER, 20)
    assert maps.may(GROUP, 0) == 120
    maps.spend(KEY, 100)
    made.leaves(KEY, 300)
    assert (maps.may(GROUP, 0), maps.may(KEY.handle)) == (120, 300)
    made.begin(KEY)  # another, whose socket is not known
    made.leaves(KEY, 5)
    assert maps.may(GROUP, 0) == 125


def test_one_that_is_gone_is_forgotten_after_a_while_unless_its_address_is_in_use() -> None:
    maps, made = ledger()
    made.begin(OTHER)
    made.leaves(KEY, 100)
    made.leaves(OTHER, 100)
    made.end(KEY, 1000)
    made.end(OTHER, 1000)
    made.begin(OTHER)
    assert maps.may(KEY.handle) == 100
    made.end(StreamKey(1, 9, 9, 0), 1001 + LINGER_NS)
    assert (maps.may(KEY.handle), maps.may(OTHER.handle)) == (-1, 100)
