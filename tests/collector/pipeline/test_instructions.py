"""Orders as an agent is told them."""

import pytest

from chaperone.collector.enforce.kills import Kill
from chaperone.collector.pipeline.instructions import ending, hold_from, killed, ordered, waiting
from chaperone.collector.rules.verdict import Ends
from chaperone.collector.wire.compose.units import Name, Order, Part
from chaperone.proto import capture_pb2 as pb
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction
from chaperone.proto.refusals import Refusal

REFUSAL = Refusal("id-1", "no", 5, 100, True)
PARTS = (Part(3, 9), Part(9, 20, "http2-malformed", REFUSAL))


@pytest.mark.parametrize("name", list(Name))
def test_each_order_is_told_by_its_name(name: Name) -> None:
    told = ordered("h", Order(name)).order
    assert (told.hold, told.WhichOneof("action")) == ("h", str(name))


def test_parts_and_what_is_needed_no_more_are_told_of_both_directions() -> None:
    for name in (Name.WRITE, Name.ANSWER):
        told = getattr(ordered("h", Order(name, PARTS, 7)).order, str(name))
        assert told.released == 7
        assert told.parts[0] == pb.Part(begin=3, end=9)
        refusal = pb.Refusal(id="id-1", message="no", h2_stream=5, credit=100, bodiless=True)
        assert told.parts[1] == pb.Part(begin=9, end=20, template="http2-malformed", refusal=refusal)


def test_waiting_ending_and_holding_are_told() -> None:
    assert waiting("h", 9).order.wait.until_ns == 9
    assert killed("h").order.kill.target == pb.Kill.CONNECTION
    told = hold_from(StreamId("s"), Direction.IN, 12).hold_from
    assert (told.stream, told.direction, told.position) == ("s", pb.IN, 12)


def test_an_end_that_no_hold_is_about_names_what_and_its_own_id() -> None:
    for target, number in ((Ends.CONNECTION, pb.Kill.CONNECTION), (Ends.PROCESS, pb.Kill.PROCESS), (Ends.SESSION, pb.Kill.WORKLOAD)):
        order = ending(Kill("kill-1", target, "ab", "s", "unix:root", "", "why", 1)).order
        assert (order.hold, order.kill) == ("", pb.Kill(target=number, id="ab", order="kill-1"))
