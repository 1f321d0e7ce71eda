import time

from chaperone.collector.serve.activity import Activity


def test_idle_time_counts_from_the_last_client() -> None:
    activity = Activity()
    activity.open()
    with activity:
        with activity:
            time.sleep(0.02)
            assert activity.idle_s == 0
        assert activity.idle_s == 0
    before = activity.idle_s
    time.sleep(0.02)
    assert before < 0.02 <= activity.idle_s


def test_the_first_client_has_time_to_come() -> None:
    activity = Activity()
    activity.open(first_s=60)
    assert activity.idle_s < -50
    with activity:
        assert activity.idle_s == 0
    assert 0 <= activity.idle_s < 50


def test_a_slow_start_is_no_time_in_which_nobody_came() -> None:
    activity = Activity()
    time.sleep(0.02)
    assert activity.idle_s < 0
    activity.open()
    assert 0 <= activity.idle_s < 0.02
