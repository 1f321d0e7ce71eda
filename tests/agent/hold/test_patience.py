from chaperone.agent.hold.patience import PROBE_NS, SECOND, WITHIN_NS, Patience


def failed(*times: int) -> Patience:
    patience = Patience()
    for time in times:
        patience.failed(time)
    return patience


def test_three_time_outs_in_ten_seconds_are_enough() -> None:
    assert not failed(0, SECOND).is_over(2 * SECOND)
    assert failed(0, SECOND, 2 * SECOND).is_over(2 * SECOND + 1)
    assert not failed(0, SECOND, WITHIN_NS + 1).is_over(WITHIN_NS + 2)


def test_one_hold_a_second_is_asked() -> None:
    patience = failed(0, 1, 2)
    asked = [at for at in range(0, 3 * SECOND, SECOND // 10) if not patience.is_over(at)]
    assert len(asked) == 2 and asked[1] - asked[0] >= PROBE_NS


def test_an_answer_ends_it() -> None:
    patience = failed(0, 1, 2)
    patience.answered()
    assert not patience.is_over(3)


def test_each_further_time_out_prolongs_it_and_without_any_it_ends() -> None:
    patience = failed(0, 1, 2)
    patience.failed(WITHIN_NS - 1)
    assert patience.is_lost(WITHIN_NS)
    assert not patience.is_lost(2 * WITHIN_NS)
