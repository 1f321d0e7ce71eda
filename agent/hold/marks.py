"""The kernel's marks of held threads (`held_threads`), by which it bounds how many one workload may have."""

from chaperone.agent.hold.layout import HeldRecord, Tally
from chaperone.agent.trace.kernel import Kernel


def mark_of(kernel: Kernel, tid: int) -> HeldRecord | None:
    """What a thread is held for; None: it is not."""
    return kernel.entry("held_threads", HeldRecord, tid)


def unmark(kernel: Kernel, tid: int, workload: int) -> None:
    """It is held no more. Counted by whose delete took it out; one thread at a time does so for a workload."""
    if kernel.remove("held_threads", tid):
        before = kernel.entry("let_go", Tally, workload) or Tally()
        kernel.store("let_go", Tally(before.threads + 1), workload)
