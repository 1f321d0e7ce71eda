import time

from chaperone.agent.deliver.clock import STEP_NS, Steps, sentence, wall_offset_ns

HOUR = 3_600_000_000_000


def test_the_offset_leads_from_the_boot_clock_to_the_wall_clock() -> None:
    told = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + wall_offset_ns()
    assert abs(told - time.clock_gettime_ns(time.CLOCK_REALTIME)) < 10_000_000_000


def test_a_step_is_noticed_once_and_slewing_never() -> None:
    offsets = iter([HOUR, HOUR + STEP_NS - 1, HOUR + 2 * STEP_NS - 2, 0, 0, HOUR])
    steps = Steps(lambda: next(offsets))
    assert [steps.look() for _ in range(6)] == [0, 0, 0, -HOUR - 2 * STEP_NS + 2, 0, HOUR]


def test_a_step_is_said_with_its_direction_and_size() -> None:
    assert sentence(-HOUR).startswith("the wall clock was set back by 3600.000 s")
    assert sentence(HOUR // 2).startswith("the wall clock was set forward by 1800.000 s")
