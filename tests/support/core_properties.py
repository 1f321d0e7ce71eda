"""What must hold for any stream, whatever `chance` does to it: each property takes a recording and raises AssertionError.

Used by tests/test_core.py on few examples and by tests/fuzz.py for as long as it is let.
"""

import random
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

from support.whole_core import Core, Told, is_whole, masked, read, recut, sides, told, values
from support.wire_streams import Chunk, behind, placed

from chaperone.collector.kube.call import Body, Call
from chaperone.collector.wire.http1 import BEHIND_A_HOLE
from chaperone.collector.wire.intake import SKEW_LIMIT
from chaperone.proto.records import Direction

Fed = list[Chunk]
Property = Callable[[Fed, random.Random], None]
MIB = 1 << 20
# Of one stream, besides what bodies and open exchanges need: the skew of one direction, twice while it is joined, and parts.
OVERHEAD = 2 * SKEW_LIMIT + 8 * MIB
# A byte of a body that is read whole: the body, its parsed form, and what masking makes of it.
PER_BYTE = 40
SNIPPETS = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\0\4\0\0\0\0\0",
    b"\0\0\5\1\5\0\0\0\1\x82\x84\x86\x41\0",
    b"\0\0\4\0\1\0\0\0\1body",
    b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: x\r\n",
    b"POST /apis/apps/v1/namespaces/a/deployments HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"Content-Encoding: gzip\r\n",
    b"\r\n\r\n",
    b"7fffffff\r\n",
    b"k8s\0\n\f\n\2v1\22\6Secret",
    b"\x80\x03\0\1\1\0\0\x0a\0\0\0\1",
    b"\x82\x7f\0\0\0\0\xff\xff\xff\xff",
)


def any_split_reads_the_same(fed: Fed, chance: random.Random) -> None:
    size = sum(len(chunk.data) for chunk in fed)
    cuts = [chance.randrange(size + 1) for _ in range(chance.choice((1, 5, 40, 300)))]
    assert told(read(recut(fed, cuts))) == told(read(fed))


def any_interleaving_reads_the_same(fed: Fed, chance: random.Random) -> None:
    assert told(read(interleaved(fed, chance))) == told(read(fed))


def interleaved(fed: Fed, chance: random.Random) -> Fed:
    """The chunks of each direction in its order; neither is ever further from where it was than the skew limit allows."""
    queues, result, bias = sides(fed), list[Chunk](), chance.random()
    while any(queues.values()):
        wanted = Direction.OUT if chance.random() < bias else Direction.IN
        queue = queues[wanted] or queues[Direction(1 - wanted)]
        result += [queue.pop(0) for _ in range(min(len(queue), chance.choice((1, 1, 3, 20))))]
    return result


def a_mark_anywhere_goes_on_the_same(fed: Fed, chance: random.Random) -> None:
    size = sum(len(chunk.data) for chunk in fed)
    pieces = recut(fed, [chance.randrange(size + 1) for _ in range(4)])
    stop, core = chance.randrange(len(pieces) + 1), Core()
    for chunk in pieces[:stop]:
        core.feed(chunk)
    if kept := core.mark():
        again, positions = Core.restore(kept)
        assert told(read(behind(pieces, positions), again)) == told(read(pieces[stop:], core))


def a_cut_leaves_what_came_before(fed: Fed, chance: random.Random) -> None:
    """Each direction cut off somewhere: what says that it is complete is what it was, or channels that go on."""
    sizes = {direction: sum(len(chunk.data) for chunk in queue) for direction, queue in sides(fed).items()}
    ends = {direction: chance.choice((size, chance.randrange(size + 1))) for direction, size in sizes.items()}
    left = [replace(chunk, data=chunk.data[: max(0, ends[chunk.direction] - chunk.position)]) for chunk in fed]
    _check_remains(fed, told(read([chunk for chunk in left if chunk.data])))


def a_hole_changes_no_other_call(fed: Fed, chance: random.Random) -> None:
    """Some bytes lost, told by `lose` or by a jump of the position."""
    share, core, reports = chance.choice((0.01, 0.1, 0.5)), Core(), []
    pieces = recut(fed, [chance.randrange(1 + sum(len(chunk.data) for chunk in fed)) for _ in range(20)])
    for chunk in pieces:
        if chance.random() > share:
            reports += core.feed(chunk)
        elif chance.random() < 0.7:
            reports += core.lose(chunk)
    _check_remains(fed, told(reports + core.close()))


def joined_late_nothing_is_invented(fed: Fed, chance: random.Random) -> None:
    starts = [chance.randrange(1 + sum(len(chunk.data) for chunk in queue)) for queue in sides(fed).values()]
    _check_remains(fed, told(read(behind(fed, starts))))


def _check_remains(fed: Fed, found: dict[int, Told]) -> None:
    whole = told(read(fed))
    assert found.keys() <= whole.keys(), "a request that was never made"
    for position, one in found.items():
        true = whole[position]
        if is_whole(one) and not _goes_on(one):
            assert values(one) == values(true), one.last
        elif not _is_guess(one):
            _check_part(one, true)


def _goes_on(one: Told) -> bool:
    """Its end is not in the bytes: channels have no length, and what a client gives up ends wherever the server was."""
    call = one.last
    if not isinstance(call, Call) or call.code == 101:
        return call.code == 101
    return call.info.verb == "watch" if call.response_body is None else not call.response_body.complete


def _is_guess(one: Told) -> bool:
    """HTTP/1.1 has no names for answers: behind a hole one may be another request's, which the call says."""
    return any(BEHIND_A_HOLE in gap.reason for gap in one.last.gaps)


def _check_part(one: Told, true: Told) -> None:
    """What is known of it is true."""
    mine, theirs = one.last, true.last
    assert mine.method in ("", theirs.method)
    assert mine.code in (None, theirs.code)
    if isinstance(mine, Call) and isinstance(theirs, Call):
        assert mine.request_uri in ("", theirs.request_uri)
        _check_body(mine.request_body, theirs.request_body)
        _check_body(mine.response_body, theirs.response_body)


def _check_body(mine: Body | None, theirs: Body | None) -> None:
    """Whole, and of a form that keeps its bytes: then it has them all."""
    if mine and theirs and mine.complete and theirs.complete and mine.data:
        assert mine.data == theirs.data


def mutated_bytes_stay_within_bounds(fed: Fed, chance: random.Random) -> None:
    """Never an exception, also of the masker, and never more memory than is stated."""
    _within_bounds(placed((chunk.direction, _mutated(chunk.data, chance), chunk.time) for chunk in fed))


def _mutated(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((0, 0, 1, 3, 10))):
        at = chance.randrange(len(changed) + 1)
        if chance.random() < 0.5 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        else:
            changed[at : at + chance.randrange(9)] = chance.choice((chance.randbytes(chance.randrange(9)), chance.choice(SNIPPETS), b""))
    return bytes(changed)


def shuffled_bytes_stay_within_bounds(fed: Fed, chance: random.Random) -> None:
    """Parts of the recording, of both directions and in any order, among snippets of every protocol and noise."""
    parts = []
    for _ in range(chance.randrange(1, 60)):
        piece = chance.choice(fed).data
        start = chance.randrange(len(piece) + 1)
        made = (piece[start : start + chance.randrange(1, 4000)], chance.choice(SNIPPETS), chance.randbytes(chance.randrange(50)))
        parts.append((chance.choice(list(Direction)), chance.choice(made), chance.randrange(1, 1000)))
    _within_bounds(placed(parts))


def _within_bounds(fed: Fed) -> None:
    size = sum(len(chunk.data) for chunk in fed)
    tracemalloc.start()
    try:
        reports = read(fed, Core())
        decoded = sum(_kept(report) for report in reports if isinstance(report, Call))
        masked(reports)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < OVERHEAD + PER_BYTE * (size + decoded), f"{peak} bytes for {size} and {decoded} decoded"


def _kept(call: Call) -> int:
    bodies = (call.request_body, call.response_body, *(piece.body for piece in call.pieces))
    return sum(body.size for body in bodies if body)


PROPERTIES: tuple[Property, ...] = (
    any_split_reads_the_same,
    any_interleaving_reads_the_same,
    a_mark_anywhere_goes_on_the_same,
    a_cut_leaves_what_came_before,
    a_hole_changes_no_other_call,
    joined_late_nothing_is_invented,
    mutated_bytes_stay_within_bounds,
    shuffled_bytes_stay_within_bounds,
)
