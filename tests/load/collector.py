"""`python -m load.collector …`: a collector whose threads bear their names, so that the kernel can say which of them works."""

import ctypes
import sys
import threading
from typing import Any

from chaperone.collector.__main__ import main

PR_SET_NAME = 15
NAME_SIZE = 15


def _called(name: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:NAME_SIZE], 0, 0, 0)


class _Named(threading.Thread):
    def run(self, *arguments: Any) -> None:
        """As a thread does, under its own name; what it starts outside of Python inherits that, unless it names itself."""
        _called(self.name)
        super().run(*arguments)


if __name__ == "__main__":
    threading.Thread = _Named  # type: ignore[misc]
    _called("event loop")
    sys.exit(main())
