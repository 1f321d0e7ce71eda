"""A call's moments, from its document."""

from support.judged_events import CALL

from chaperone.collector.rules.event import call_events, command_line, egress_event, in_order, piece_event, reached
from chaperone.collector.rules.verdict import Moment


def test_a_finished_call_had_three_moments_each_with_its_time() -> None:
    found = list(call_events(CALL, {}))
    assert [(event.moment, event.time) for event in found] == [
        (Moment.REQUEST, CALL["requested"]),
        (Moment.RESPONSE, CALL["answered"]),
        (Moment.END, CALL["ended"]),
    ]


def test_moments_that_were_judged_do_not_come_again() -> None:
    assert [event.moment for event in call_events(CALL, {}, after=Moment.REQUEST)] == [Moment.RESPONSE, Moment.END]
    assert reached(CALL | {"phase": "stream"}) == Moment.RESPONSE


def test_events_are_put_in_order_of_time() -> None:
    egress = egress_event({"time": "2026-01-01"}, {})
    piece = piece_event({"time": "2026-01-03"}, CALL, {})
    assert in_order([piece, egress]) == [egress, piece]


def test_a_command_line_of_which_more_is_not_known_ends_with_an_ellipsis() -> None:
    assert command_line({"argv": ["sh", "-c", "two words"]}) == "sh -c 'two words'"
    assert command_line({"argv": ["sh", "-c", "tw"], "argvCut": True}) == "sh -c tw …"
