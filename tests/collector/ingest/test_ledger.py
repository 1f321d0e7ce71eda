from chaperone.collector.ingest.ledger import Ledger


def test_what_has_its_marks_is_not_needed_again() -> None:
    ledger = Ledger()
    assert [ledger.take(number, 1, ["a", "b"], []) for number in (1, 2, 3)] == [2, 3, 4]


def test_a_stream_without_a_mark_keeps_all_from_its_first_batch_on() -> None:
    ledger = Ledger()
    assert ledger.take(1, 1, ["a"], []) == 2
    assert ledger.take(2, 1, ["a"], ["b"]) == 2
    assert ledger.take(3, 1, ["a"], ["b"]) == 2
    assert ledger.take(4, 1, ["b"], ["a"]) == 4
    assert ledger.take(5, 1, ["a"], []) == 6


def test_no_more_than_the_limit_is_kept_and_the_oldest_stream_gives_way() -> None:
    ledger = Ledger(limit=10)
    assert ledger.take(1, 4, [], ["old"]) == 1
    assert ledger.take(2, 4, [], ["young"]) == 1
    assert ledger.take(3, 4, [], []) == 2
    assert ledger.take(4, 11, [], []) == 5
