from chaperone.collector.wire.compose.leave import leaving, left
from chaperone.collector.wire.compose.units import FAR, FREE, Part, Ruling, Unit
from chaperone.proto.refusals import Refusal

NO = Refusal("id")
YES: dict[int, Ruling] = {FREE: None, 10: None}


def test_what_may_go_leaves_as_one_part() -> None:
    found = leaving([Unit(0, 10), Unit(10, 20, 10)], YES, 20)
    assert found.parts == (Part(0, 20),) and not found.staying


def test_behind_what_waits_only_whole_overtakers_leave() -> None:
    waiting, follows = Unit(0, 10, 99, number=1), Unit(10, 20, 10, number=3)
    ahead, torn = Unit(20, 30, 10, number=5, overtakes=True), Unit(30, 40, number=0, overtakes=True)
    found = leaving([waiting, follows, ahead, torn], YES, 35)
    assert found.parts == (Part(20, 30),) and found.staying == (waiting, follows, torn)


def test_nothing_overtakes_its_own_h2_stream() -> None:
    units = [Unit(0, 10, 99, number=1), Unit(10, 20, 10, number=3, block=True), Unit(20, 30, 10, number=3, overtakes=True)]
    assert leaving(units, YES, 30).staying == tuple(units)


def test_a_unit_that_leaves_in_part_goes_on_before_all_others() -> None:
    first = leaving([Unit(0, 10, 10, overtakes=True)], YES, 4)
    assert first.parts == (Part(0, 4),) and first.staying == (Unit(4, 10, 10, overtakes=True),)
    assert leaving(first.staying, YES, 10).parts == (Part(4, 10),)


def test_a_refused_head_leaves_as_its_template_and_the_rest_is_dropped_with_its_credit() -> None:
    units = [Unit(10, 20, 10, template="http2-malformed", block=True), Unit(20, 60, 10, credit=31)]
    found = leaving(units, {FREE: None, 10: NO}, 40)
    assert found.parts == (Part(10, 20, "http2-malformed", NO),) and found.refused == (10,)
    assert found.dropped == ((10, 31),) and found.staying == (Unit(40, 60, 10),)
    assert leaving(found.staying, {10: NO}, 60).dropped == (), "credit is given back once"


def test_trailers_of_a_refused_request_are_not_answered_again() -> None:
    assert leaving([Unit(50, 60, 10, template="http2-malformed", block=True)], {10: NO}, 60).refused == ()


def test_a_header_block_leaves_whole_or_not_at_all() -> None:
    block = Unit(10, FAR, 10, block=True)
    assert leaving([block], YES, 30).staying == (block,)
    assert leaving([block], {10: NO}, 30).staying == (block,)


def test_a_refused_request_keeps_its_turn() -> None:
    units = [Unit(0, 10, 99), Unit(10, 20, 10, template="http1-harmless")]
    assert leaving(units, {10: NO}, 20).staying == tuple(units)


def test_what_left_unheld_is_not_here_any_more() -> None:
    assert left([Unit(0, 10), Unit(10, 20), Unit(20, 30)], 15) == [Unit(15, 20), Unit(20, 30)]
