"""A Go function's machine code → where to probe its entry and its returns."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from capstone import CS_ARCH_X86, CS_MODE_64, Cs

from chaperone.agent.probe.elf import UnreadableError

# Every Go function with a frame begins by comparing with g.stackguard0, at 0x10 of the goroutine that r14 holds:
# `cmp rsp, [r14+0x10]`, or `lea r12, [rsp-n]` and `cmp r12, [r14+0x10]` (cmd/internal/obj/x86/obj6.go, stacksplit).
GUARD = "[r14 + 0x10]"
PROLOGUE = 10  # instructions in which the check must have come


class Places(NamedTuple):
    """Addresses: behind the stack check with the arguments still in their registers, and of each RET."""

    entry: int
    returns: tuple[int, ...]


Instruction = tuple[int, int, str, str]  # address, size, mnemonic, operands


def places(code: bytes, address: int) -> Places:
    """Where to probe. UnreadableError if this is not what a Go compiler writes: a probe inside an instruction kills."""
    listing: list[Instruction] = list(Cs(CS_ARCH_X86, CS_MODE_64).disasm_lite(code, address))
    returns = tuple(at for at, _size, mnemonic, _operands in listing if mnemonic == "ret")
    if not returns or not _is_whole(listing, code, address):
        raise UnreadableError("a function of Go's crypto/tls does not look like Go's code")
    return Places(_behind_check(listing), returns)


def _behind_check(listing: Sequence[Instruction]) -> int:
    """The instruction after the check's jump. A probe on the first one hits again each time the stack has grown."""
    for (_, _, _, operands), (jump, size, mnemonic, _) in pairwise(listing[:PROLOGUE]):
        if GUARD in operands and mnemonic in ("jbe", "jb"):
            return jump + size
    raise UnreadableError("a function of Go's crypto/tls has no stack check")


def _is_whole(listing: Sequence[Instruction], code: bytes, address: int) -> bool:
    """Disassembled to the end, but for padding (int3) and what is no code behind the last return."""
    end = listing[-1][0] + listing[-1][1] - address if listing else 0
    return not code[end:].strip(b"\xcc\x00")
