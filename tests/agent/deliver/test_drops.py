import pytest

from chaperone.agent.deliver.drops import Drops, drops_of


def taken(drops: Drops | None, count: int) -> list[int]:
    assert drops
    return [number for number in range(1, count + 1) if drops.takes()]


def test_each_nth_chunk_is_dropped() -> None:
    assert taken(drops_of("3"), 10) == [3, 6, 9]
    assert str(drops_of("3")) == "one chunk in 3"


def test_a_share_is_dropped_at_random_and_the_same_for_the_same_seed() -> None:
    first = taken(drops_of("0.1:7"), 5000)
    assert first == taken(drops_of("0.1:7"), 5000) != taken(drops_of("0.1:8"), 5000)
    assert 400 < len(first) < 600
    assert taken(drops_of("1.0"), 3) == [1, 2, 3]


def test_nothing_is_none() -> None:
    assert drops_of("") is None


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "0.0", "x", "0.1:y", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        drops_of(text)
