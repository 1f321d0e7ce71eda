"""Whether a collector is of use: its store takes what comes, and answers. Asked by threads that are not the event loop's."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

PATIENCE_S = 3.0  # a kubelet waits five seconds
FRESH_S = 1.0  # so often is looked at the most, whoever asks how often


class Readiness:
    """`look` is awaited on `loop`: whether all is well. Not ready is also who takes longer than PATIENCE_S, or fails."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        self._loop, self._look = loop, look
        self._lock, self._since, self._is_ready = threading.Lock(), float("-inf"), False

    def __call__(self) -> bool:
        """Looked at within the last second, or now."""
        with self._lock:
            if time.monotonic() - self._since > FRESH_S:
                self._is_ready = self._looked()
                self._since = time.monotonic()
            return self._is_ready

    def _looked(self) -> bool:
        looking = asyncio.run_coroutine_threadsafe(self._look(), self._loop)
        try:
            return looking.result(PATIENCE_S)
        except Exception:  # noqa: BLE001 - whatever it is, or if it takes too long, it is not ready
            looking.cancel()
            return False
