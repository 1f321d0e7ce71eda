from chaperone.collector.enforce.alerting import Limit
from chaperone.collector.enforce.bucket import Bucket

SECOND = 1_000_000_000


def test_it_gives_so_many_at_once_and_then_evenly() -> None:
    bucket = Bucket(Limit(3, 30 * SECOND), 0)
    for left in (3, 2, 1):
        assert bucket.room(0) == left
        bucket.take(0)
    assert (bucket.room(0), bucket.wait_ns(0)) == (0, 10 * SECOND + 1)
    assert bucket.room(9 * SECOND) == 0
    assert bucket.room(10 * SECOND + 1) == 1
    assert bucket.room(1000 * SECOND) == 3


def test_without_a_limit_there_is_always_room() -> None:
    bucket = Bucket(None, 0)
    bucket.take(0)
    assert (bucket.room(0), bucket.wait_ns(0)) == (None, 0)
