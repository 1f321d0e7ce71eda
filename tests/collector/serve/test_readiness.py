import asyncio
import threading
from collections.abc import Iterator

import pytest

from chaperone.collector.serve import readiness as module
from chaperone.collector.serve.readiness import Readiness


class Looked:
    """A loop in a thread, and what is found there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.finds, self.times = loop, True, 0

    async def look(self) -> bool:
        self.times += 1
        if self.times == 3:
            await asyncio.sleep(60)
        if self.times == 4:
            raise OSError
        return self.finds


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield Looked(loop)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_it_is_ready_when_it_says_so_in_time(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_S", -1.0)
    is_ready = Readiness(looked.loop, looked.look)
    assert is_ready()
    looked.finds = False
    assert not is_ready()
    looked.finds = True
    with monkeypatch.context() as patch:
        patch.setattr(module, "PATIENCE_S", 0.1)
        assert not is_ready(), "too late"
    assert not is_ready(), "it failed"
    assert is_ready()


def test_whoever_asks_often_is_answered_of_a_moment_ago(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_S", 60.0)
    is_ready = Readiness(looked.loop, looked.look)
    assert [is_ready() for _ in range(10)] == [True] * 10 and looked.times == 1
