import time

from chaperone.collector.serve.activity import Activity


def test_idle_time_counts_from_the_last_client() -> None:
    activity = Activity()
    with activity:
        with activity:
            time.sleep(0.02)
            assert activity.idle_s == 0
        assert activity.idle_s == 0
    before = activity.idle_s
    time.sleep(0.02)
    assert before < 0.02 <= activity.idle_s


def test_the_first_client_has_time_to_come() -> None:
    activity = Activity(first_s=60)
    assert activity.idle_s < -50
    with activity:
        assert activity.idle_s == 0
    assert 0 <= activity.idle_s < 50
