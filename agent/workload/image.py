"""What is looked into: one program in one process."""

from typing import NamedTuple


class Image(NamedTuple):
    """`number`: how many programs the process has been; -1: not known. `started`: 0 likewise, and `workload`, whose it is."""

    pid: int
    started: int
    number: int
    workload: int = 0
