import ctypes
from pathlib import Path

from support.mirrors import equal, padded, problems, same

from chaperone.agent.trace.layout import ARGV_LIMIT, FILE_LIMIT, MIRRORS, Head, Kind


def test_every_field_lies_where_the_compiler_puts_it(tmp_path: Path) -> None:
    assert problems("event.h", same(MIRRORS), tmp_path) == ""


def test_numbers_and_limits_are_those_of_the_kernel_side(tmp_path: Path) -> None:
    limits = [equal("ARGV_LIMIT", ARGV_LIMIT), equal("FILE_LIMIT", FILE_LIMIT)]
    assert problems("event.h", [*limits, *(equal(f"KIND_{kind.name}", kind) for kind in Kind)], tmp_path) == ""


def test_a_wrong_mirror_is_named(tmp_path: Path) -> None:
    class Wrong(ctypes.Structure):
        _fields_ = (*Head._fields_[1:], ("time", ctypes.c_uint64))

    assert "struct head, started" in problems("event.h", same({"head": Wrong}), tmp_path)


def test_nothing_is_padded_by_the_compiler() -> None:
    assert padded(MIRRORS) == []
