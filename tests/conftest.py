"""Options and fixtures for every test."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from support.kernel import skip_without_kernel

THREADS_S = 30.0
KEPT = ("(_poll_wrapper)", "Dummy-")  # gRPC's, one for all that comes, and what is no thread of Python's
GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[str, str], None]
hypothesis.settings.register_profile(  # how busy it is, is no property of the code
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the rendered text that golden tests compare with")


def pytest_configure() -> None:
    """The venv's programs (kubectl, chaperone) are found by name, as in a shell where it is active."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked `kernel` runs where BPF can be loaded; elsewhere it is skipped, or fails if that is required."""
    if item.get_closest_marker("kernel"):
        skip_without_kernel()


@pytest.fixture(autouse=True, scope="module")
def no_thread_is_left() -> Iterator[None]:
    """What a module's tests began ends with them: a thread that goes on takes time from every test that follows."""
    before, deadline = set(threading.enumerate()), 0.0
    yield
    while left := [thread for thread in threading.enumerate() if thread not in before and not any(map(thread.name.__contains__, KEPT))]:
        deadline = deadline or time.monotonic() + THREADS_S
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """golden(name, text): the text is that of tests/golden/NAME, or becomes it with --update-golden."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path} is missing: run pytest --update-golden and read what it says"
        assert text == path.read_text()

    return compare
