"""Whether the kernel takes each program that an agent may ever load: a verifier refuses one at a time, each kernel others."""

import re
from collections.abc import Callable, Iterator

from chaperone.agent.gate.hooks import PROGRAMS
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.kernel import Kernel

PROGRAM = re.compile(r"^int (\w+)\(struct (\w+) \*", re.MULTILINE)
CONNECTS = frozenset(PROGRAMS.values())


def programs(text: str) -> dict[str, str]:
    """Every program of a C text with the struct of its context, by which its kind is known."""
    return dict(PROGRAM.findall(text))


def refused(kernel: Kernel) -> Iterator[tuple[str, str]]:
    """Programs that the kernel does not take, and what it says. Not those of connects, for which there is another."""
    for program, context in programs(flatten("chaperone.c")).items():
        if program not in CONNECTS and (why := said(kernel, program, context)):
            yield program, why


def said(kernel: Kernel, program: str, context: str) -> str:
    """What the kernel says against a program; empty: nothing."""
    ways: dict[str, Callable[[str], int]] = {
        "pt_regs": kernel.load_uprobe,
        "bpf_raw_tracepoint_args": kernel.load_tracepoint,
        "__sk_buff": kernel.load_cgroup_skb,
    }
    try:
        ways[context](program)
    except OSError as error:
        return error.strerror or str(error)
    return ""
