"""Who is being served, so that a collector that nobody needs can end."""

import math
import time
from types import TracebackType


class Activity:
    """Entered around each client; `idle_s` is how long nobody has been. Counted from `open`: a start may take its time."""

    def __init__(self) -> None:
        self._clients = 0
        self._since = math.inf

    def open(self, first_s: float = 0.0) -> None:
        """Clients can come from now on; the first one may take `first_s`."""
        self._since = time.monotonic() + first_s

    def __enter__(self) -> "Activity":
        self._clients += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._clients -= 1
        self._since = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last client left; 0 while there is one; less than 0 while the first one is waited for."""
        return 0.0 if self._clients else time.monotonic() - self._since
