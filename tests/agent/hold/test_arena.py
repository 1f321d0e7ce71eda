import pytest
from support.enforced import client, enforced, until

from chaperone.agent.gate import memory
from chaperone.agent.hold.arena import SIZE, Arena
from chaperone.agent.hold.marks import mark_of
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.trace.values import TlsHeld

pytestmark = pytest.mark.kernel


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
