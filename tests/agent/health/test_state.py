"""When an agent calls itself ready, and when it gives itself up."""

from chaperone.agent.health.state import Health, Outcome


def after(*outcomes: Outcome) -> Health:
    health = Health()
    for outcome in outcomes:
        health = health.after(outcome, 0.5, "" if outcome is Outcome.SEEN else "why")
    return health


SEEN, UNSEEN, UNDONE = Outcome


def test_nothing_is_ready_before_something_was_seen() -> None:
    assert not after().is_ready and after().is_alive
    assert not after(UNSEEN).is_ready
    assert after(SEEN).is_ready


def test_one_failure_alone_says_nothing_two_do() -> None:
    assert after(SEEN, UNSEEN).is_ready
    assert not after(SEEN, UNSEEN, UNDONE).is_ready
    assert after(SEEN, UNSEEN, UNDONE, SEEN).is_ready


def test_one_that_fails_for_long_may_be_ended() -> None:
    assert after(SEEN, *[UNSEEN] * 9).is_alive
    assert not after(SEEN, *[UNSEEN] * 10).is_alive


def test_all_are_counted_and_the_last_reason_is_kept() -> None:
    health = after(SEEN, SEEN, UNSEEN, UNDONE)
    assert health.counts == {SEEN: 2, UNSEEN: 1, UNDONE: 1}
    assert (health.failures, health.seconds, health.why) == (2, 0.5, "why")
    assert after(UNSEEN, SEEN).why == ""
