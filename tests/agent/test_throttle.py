"""Over its share the agent rests, no longer than it must; what it saves up is bounded."""

from dataclasses import dataclass

import pytest

from chaperone.agent.throttle import BURST_S, REST_S, Throttle


@dataclass
class Machine:
    """Seconds that have passed and that we were busy."""

    now: float = 0.0
    used: float = 0.0
    rested: float = 0.0

    def throttle(self, percent: int) -> Throttle:
        return Throttle(percent, lambda: self.used, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.rested += seconds

    def work(self, seconds: float) -> None:
        self.now += seconds
        self.used += seconds


@pytest.mark.parametrize("percent", [10, 50, 90])
def test_over_its_share_it_rests_until_it_is_not(percent: int) -> None:
    machine = Machine()
    throttle = machine.throttle(percent)
    for _ in range(10_000):
        machine.work(0.01)
        throttle.rest()
    assert machine.used / machine.now == pytest.approx(percent / 100, rel=0.05)


def test_below_its_share_it_never_rests() -> None:
    machine = Machine()
    throttle = machine.throttle(50)
    for _ in range(1000):
        machine.work(0.01)
        machine.now += 0.01
        throttle.rest()
    assert machine.rested == 0


def test_without_a_share_it_never_rests() -> None:
    machine = Machine()
    throttle = machine.throttle(0)
    machine.work(1000)
    throttle.rest()
    assert machine.rested == 0


def test_a_long_quiet_time_is_not_worth_more_than_a_burst() -> None:
    machine = Machine()
    throttle = machine.throttle(20)
    machine.now += 3600
    throttle.rest()
    machine.work(BURST_S + 0.1)
    throttle.rest()
    assert machine.rested > 0


def test_somebody_who_waits_for_us_waits_half_a_second_at_most() -> None:
    machine = Machine()
    throttle = machine.throttle(10)
    machine.work(60)
    throttle.rest()
    assert machine.rested == REST_S
