import pytest
from support.enforced import client, enforced, until

from chaperone.agent.gate import memory
from chaperone.agent.hold.arena import SIZE, Arena, _gap
from chaperone.agent.hold.marks import mark_of
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.trace.values import TlsHeld

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    ("wanted", "place", "taken", "found"),
    [
        (100, (0, 0), [], None),
        (100, (640, 1000), [], 640),
        (400, (640, 1000), [], 0),
        (100, (640, 1000), [range(700, 710)], 0),
        (400, (640, 1000), [range(100), range(900, 910)], 128),
        (400, (640, 1000), [range(300, 301), range(900, 910)], 320),
        (600, (640, 1000), [range(500, 501)], None),
        (400, (640, 1000), [range(-4000, -3000), range(5000, 6000)], 0),
        (400, (640, 1000), [range(-4000, 10)], 64),
    ],
)
def test_there_is_room_where_nobody_writes_from(wanted: int, place: tuple[int, int], taken: list[range], found: int | None) -> None:
    assert _gap(wanted, place, taken) == found


def test_what_is_put_there_stays_until_the_ring_comes_round(tracer, server):
    places: list[tuple[int, int]] = []

    def put(tid: int) -> None:
        raw, arena = mark_of(tracer.kernel, tid), Arena()
        assert raw is not None
        for size in (100, 1000, SIZE - 500, 3 * SIZE):
            places.append((arena.put(raw, bytes([len(places)]) * size), size))
            assert memory.read(raw.head.pid, *places[-1]) == bytes([len(places) - 1]) * size

    def decide(hold):
        tid = next(value.tid for value in reversed(it.values) if isinstance(value, TlsHeld))
        until(lambda: tid in it.holds.seizer.kept)
        it.holds.seizer.call(lambda: put(tid))
        return Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        _, said = it.run(client(server, 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)'), decide)
        assert said == "5\n"
        (first, _), (second, _), (third, _), (large, _) = places
        assert second - first == 128 and third == first and not first <= large < first + SIZE
