import random

import pytest

from chaperone.collector.enforce.outcome import ASKED_CAP_S, CAP_S, delay_s


@pytest.mark.parametrize(
    ("attempts", "least", "most"), [(0, 0.5, 1), (1, 1, 2), (5, 16, 32), (30, CAP_S / 2, CAP_S), (10**9, CAP_S / 2, CAP_S)]
)
def test_pauses_double_with_jitter_up_to_a_cap(attempts: int, least: float, most: float) -> None:
    found = [delay_s(attempts, None, random.Random(seed)) for seed in range(50)]
    assert least <= min(found) and max(found) <= most
    assert len(set(found)) > 40


def test_it_is_never_sooner_than_asked_for_and_patience_has_an_end() -> None:
    for seed in range(50):
        assert 30 <= delay_s(0, 30.0, random.Random(seed)) <= 31
        assert delay_s(0, 1e12, random.Random(seed)) <= ASKED_CAP_S + CAP_S
        assert delay_s(0, -5.0, random.Random(seed)) <= 1
