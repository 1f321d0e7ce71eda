"""Offsets from a description made by hand, and from the running kernel's."""

import struct
from pathlib import Path

import pytest

from chaperone.agent.trace.btf import VMLINUX, Btf, BtfError
from chaperone.agent.trace.offsets import MEMBERS, offsets


def made(*types: bytes, strings: bytes) -> bytes:
    """A BTF image: header, types, strings."""
    body = b"".join(types)
    head = struct.pack("<HBBI4I", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(strings))
    return head + body + strings


def integer() -> bytes:
    return struct.pack("<4I", 0, 1 << 24, 8, 64)


def structure(name: int, *members: tuple[int, int, int], bitfields: bool = False) -> bytes:
    info = 4 << 24 | bitfields << 31 | len(members)
    return struct.pack("<3I", name, info, 64) + b"".join(struct.pack("<3I", *member) for member in members)


STRINGS = b"\0outer\0a\0b\0c\0"
OUTER, A, B, C = (STRINGS.index(b"\0" + name + b"\0") + 1 for name in (b"outer", b"a", b"b", b"c"))


def test_members_of_anonymous_structs_count_from_the_outer_one() -> None:
    inner = structure(0, (B, 1, 64))
    btf = Btf(made(integer(), inner, structure(OUTER, (A, 1, 0), (0, 2, 128), (C, 1, 512)), strings=STRINGS))
    assert [btf.offset("outer", name) for name in "abc"] == [0, 24, 64]


def test_offsets_beside_bitfields_have_their_size_removed() -> None:
    btf = Btf(made(integer(), structure(OUTER, (A, 1, 3 << 24 | 0), (B, 1, 8 * 40), bitfields=True), strings=STRINGS))
    assert btf.offset("outer", "b") == 40


def test_the_first_spelling_that_exists_counts() -> None:
    btf = Btf(made(integer(), structure(OUTER, (A, 1, 0), (B, 1, 64)), strings=STRINGS))
    assert btf.offset("outer", "newer", "b") == 8


def test_what_is_not_there_is_said() -> None:
    btf = Btf(made(integer(), structure(OUTER, (A, 1, 0)), strings=STRINGS))
    with pytest.raises(BtfError, match="struct outer has no member x or y"):
        btf.offset("outer", "x", "y")
    with pytest.raises(BtfError, match="no struct missing"):
        btf.offset("missing", "a")
    with pytest.raises(BtfError, match="no BTF"):
        Btf(bytes(64))


@pytest.mark.skipif(not Path(VMLINUX).exists(), reason="this kernel has no /sys/kernel/btf/vmlinux")
def test_the_running_kernel_has_every_member_that_we_need() -> None:
    found = offsets(Btf.of_kernel())
    assert found.keys() == MEMBERS.keys()
    assert found["TASK_TGID"] == found["TASK_PID"] + 4
    assert found["MM_ARG_END"] == found["MM_ARG_START"] + 8
