"""Libraries in which the exported functions meet in an inner one, and those in which they do not."""

import os
from pathlib import Path

import pytest
from support.elf_file import BASE, HEADERS, Part, elf_file

from chaperone.agent.probe.elf import Elf
from chaperone.agent.probe.forward import forwarded, jumps_to

INNER, EX, PLAIN = (BASE + HEADERS + at for at in (0, 16, 32))
PUSH = bytes.fromhex("55 4889e5 5d c3")  # push rbp; mov rbp, rsp; pop rbp; ret
SUB = bytes.fromhex("4883ec08")  # sub rsp, 8
ENDBR = bytes.fromhex("f30f1efa")  # endbr64
SHUFFLE = bytes.fromhex("4989c8")  # mov r8, rcx


def call(at: int, target: int) -> bytes:
    return b"\xe8" + (target - at - 5).to_bytes(4, "little", signed=True)


def found(path: Path, inner: bytes, ex: bytes, plain: bytes) -> int | None:
    code = inner.ljust(16, b"\x90") + ex.ljust(16, b"\x90") + plain.ljust(16, b"\x90") + bytes(64)
    path.write_bytes(elf_file(Part(".text", code)))
    fd = os.open(path, os.O_RDONLY)
    try:
        return forwarded(Elf(fd), EX, PLAIN)
    finally:
        os.close(fd)


@pytest.mark.parametrize("head", [SUB, ENDBR + SUB], ids=["plain", "with endbr64"])
def test_a_function_that_only_forwards_gives_the_inner_one(tmp_path: Path, head: bytes) -> None:
    ex = head + call(EX + len(head), INNER)
    plain = SUB + SHUFFLE + call(PLAIN + 7, INNER)
    assert found(tmp_path / "lib", PUSH, ex, plain) == INNER


@pytest.mark.parametrize(
    ("inner", "ex", "plain"),
    [
        (PUSH, SUB + SHUFFLE + call(EX + 7, INNER), SUB + call(PLAIN + 4, INNER)),
        (PUSH, SUB + call(EX + 4, INNER), SUB + call(PLAIN + 4, EX)),
        (SUB + PUSH, SUB + call(EX + 4, INNER), SUB + call(PLAIN + 4, INNER)),
        (PUSH, SUB + b"\xff\xd0", SUB + b"\xff\xd0"),
        (PUSH, PUSH, PUSH),
    ],
    ids=["arguments moved", "another inner one", "inner one no cheaper", "through a register", "no call"],
)
def test_anything_else_is_left_alone(tmp_path: Path, inner: bytes, ex: bytes, plain: bytes) -> None:
    assert found(tmp_path / "lib", inner, ex, plain) is None


ZEROS = bytes.fromhex("4531c0 31c9")  # xor r8d, r8d; xor ecx, ecx


def jump(at: int, target: int) -> bytes:
    return b"\xe9" + (target - at - 5).to_bytes(4, "little", signed=True)


def goes_on(path: Path, code: bytes, target: int) -> bool:
    path.write_bytes(elf_file(Part(".text", code.ljust(64, b"\x90") + bytes(64)), Part(".plt", bytes(64))))
    fd = os.open(path, os.O_RDONLY)
    try:
        return jumps_to(Elf(fd), INNER, target)
    finally:
        os.close(fd)


TABLE = INNER + 128 + 16  # an entry of .plt


@pytest.mark.parametrize(
    ("code", "target", "expected"),
    [
        (ZEROS + jump(INNER + 5, EX), EX, True),
        (ZEROS + jump(INNER + 5, TABLE), EX, True),
        (SUB + ZEROS + call(INNER + 9, TABLE), EX, True),
        (ZEROS + jump(INNER + 5, PLAIN), EX, False),
        (PUSH, EX, False),
        (ZEROS + jump(INNER + 5, EX), 0, False),
    ],
    ids=["itself", "the linker's table", "a call", "a clone", "no jump", "no successor"],
)
def test_a_function_goes_on_in_its_successor_or_not(tmp_path: Path, code: bytes, target: int, expected: bool) -> None:
    assert goes_on(tmp_path / "lib", code, target) == expected
