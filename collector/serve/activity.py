"""Who is being served, so that a collector that nobody needs can end."""

import time
from types import TracebackType


class Activity:
    """Entered around each client; `idle_s` is how long nobody has been."""

    def __init__(self) -> None:
        self._clients = 0
        self._since = time.monotonic()

    def __enter__(self) -> "Activity":
        self._clients += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._clients -= 1
        self._since = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last client left; 0 while there is one."""
        return 0.0 if self._clients else time.monotonic() - self._since
