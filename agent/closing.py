"""Closes descriptors while others work, since the end of some takes long.

A probe's waits for the kernel's RCU. The last one of a file without a name gives its space back: with the mount option `discard` that
waits for the disk, as long as that is busy (a program of 60 MB on ext4, 6.18: up to half a minute).
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

CLOSING = 16  # at once


def has_name(file: int) -> bool:
    """Whether an open file still is in a directory: then the end of our descriptor is not the file's."""
    return os.fstat(file).st_nlink > 0


class Closer:
    """`finish` at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(CLOSING, "closing")

    def close(self, descriptors: Iterable[int]) -> None:
        """Soon. They are not the caller's any more."""
        for descriptor in descriptors:
            self._pool.submit(os.close, descriptor)

    def finish(self) -> None:
        """Wait until all are closed."""
        self._pool.shutdown()
