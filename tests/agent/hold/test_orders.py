import pytest

from chaperone.agent.hold.lane import OrderError, Piece
from chaperone.agent.hold.orders import Name, Order, Target, order_of
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.refusals import Refusal

PART = wire.Part(begin=1, end=4, template="http1-harmless", refusal=wire.Refusal(id="i", message="m", h2_stream=5, credit=6, bodiless=True))
PIECE = Piece(1, 4, "http1-harmless", Refusal("i", "m", 5, 6, True))


@pytest.mark.parametrize(
    ("said", "order"),
    [
        ({"pass": wire.Pass()}, Order("h", Name.PASS)),
        ({"skip": wire.Skip()}, Order("h", Name.SKIP)),
        ({"again": wire.Again()}, Order("h", Name.AGAIN)),
        ({"wait": wire.Wait(until_ns=9)}, Order("h", Name.WAIT, until=9)),
        ({"kill": wire.Kill(target=wire.Kill.PROCESS)}, Order("h", Name.KILL, target=Target.PROCESS)),
        ({"write": wire.Write(parts=[PART], released=4)}, Order("h", Name.WRITE, (PIECE,), 4)),
        ({"answer": wire.Answer(parts=[PART], released=4)}, Order("h", Name.ANSWER, (PIECE,), 4)),
    ],
)
def test_each_order_becomes_a_value(said, order) -> None:
    assert order_of(wire.Order(hold="h", **said), allow_edits=False) == order


@pytest.mark.parametrize("said", [{"write": wire.Write(data=b"x")}, {"answer": wire.Answer(data=b"x")}])
def test_bytes_of_the_collectors_own_need_the_nodes_leave(said) -> None:
    with pytest.raises(OrderError):
        order_of(wire.Order(hold="h", **said), allow_edits=False)
    assert order_of(wire.Order(hold="h", **said), allow_edits=True).free == b"x"


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(OrderError):
        order_of(wire.Order(hold="h"), allow_edits=True)


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(OrderError):
        order_of(wire.Order(hold="h", kill=wire.Kill(target=17)), allow_edits=True)  # type: ignore[arg-type]
