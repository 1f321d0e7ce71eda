"""The clock of an emulated guest goes as much slower as the guest does."""

from in_kernel import SLOWER, slowed

PROCESSORS = "processor\t: 0\ncpu MHz\t\t: 2596.142\n\nprocessor\t: 1\ncpu MHz\t\t: 2596.142\n"


def test_the_counter_is_said_to_be_faster_than_it_is() -> None:
    assert SLOWER == 8
    assert slowed(PROCESSORS) == ["tsc_early_khz=20769136", "tsc=reliable"]


def test_where_the_pace_is_not_said_the_guest_measures_its_own() -> None:
    assert slowed("processor\t: 0\n") == []
