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
