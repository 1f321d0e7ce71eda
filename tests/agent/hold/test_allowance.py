import pytest

from chaperone.agent.hold.allowance import MOST, REST_NS, SHARE, Allowance, share_of

MS = 1_000_000
SECOND = 1000 * MS
BEGIN = 7 * SECOND  # a clock began long before
SHARES = [0.05, SHARE]


def used(busy: float, seconds: int, allowance: Allowance) -> tuple[int, list[int]]:
    """What a thread uses in ns that is busy for this part of the time, asked each ms; its rests."""
    now, total, rests = BEGIN, 0, []
    while now < BEGIN + seconds * SECOND:
        if rest := allowance.rest(now, total):
            rests.append(rest)
            now += rest
        now, total = now + MS, total + round(busy * MS)
    return total, rests


@pytest.mark.parametrize("share", SHARES)
def test_who_stays_within_the_share_never_rests(share: float) -> None:
    assert used(share, 60, Allowance(share))[1] == []


@pytest.mark.parametrize("share", SHARES)
def test_a_short_burst_is_for_free(share: float) -> None:
    allowance = Allowance(share)
    assert (allowance.rest(BEGIN, 0), allowance.rest(BEGIN, int(share * REST_NS))) == (0, 0)


@pytest.mark.parametrize("share", SHARES)
def test_who_is_always_busy_gets_the_share_in_the_long_run_and_no_rest_is_long(share: float) -> None:
    total, rests = used(1, 60, Allowance(share))
    assert total == pytest.approx(share * 60 * SECOND, abs=share * 2 * REST_NS)
    assert max(rests) <= REST_NS + MS / share


def test_a_rest_makes_all_good() -> None:
    allowance = Allowance()
    allowance.rest(BEGIN, 0)
    rest = allowance.rest(BEGIN, 300 * MS)
    assert rest == 600 * MS
    assert allowance.rest(BEGIN + rest, 300 * MS) == 0
    assert allowance.rest(BEGIN + rest, 550 * MS) == 0


def test_one_act_that_takes_long_makes_no_long_rest() -> None:
    allowance = Allowance()
    allowance.rest(BEGIN, 0)
    assert allowance.rest(BEGIN, 10 * SECOND) == MOST * REST_NS


def test_an_agent_that_may_take_little_leaves_half_of_that_to_the_others() -> None:
    assert [share_of(percent) for percent in (0, 10, 100, 400)] == [SHARE, 0.05, SHARE, SHARE]
