"""Live: what the kernel refuses is said in its words."""

import os
from pathlib import Path

import pytest

from chaperone.agent.trace.bytecode import MapShape
from chaperone.agent.trace.load import KPROBE, load_program, make_map

pytestmark = pytest.mark.kernel
RETURN_UNSET = bytes.fromhex("9500000000000000")  # exit without r0
RETURN_0 = bytes.fromhex("b700000000000000") + RETURN_UNSET
ARRAY = 2


def test_a_map_and_a_program_live_until_they_are_closed() -> None:
    for made in (
        make_map(MapShape("a_name_that_is_too_long", ARRAY, 4, 8, 1, 0)),
        load_program("a_name_that_is_too_long", RETURN_0, KPROBE),
    ):
        assert "bpf" in str(Path(f"/proc/self/fd/{made}").readlink())
        os.close(made)


def test_a_map_that_cannot_be_is_an_error_that_names_it() -> None:
    with pytest.raises(OSError, match="cannot make the BPF map wrong: Invalid argument"):
        make_map(MapShape("wrong", ARRAY, 5, 8, 1, 0))


def test_a_refused_program_is_an_error_with_what_the_verifier_says() -> None:
    with pytest.raises(OSError, match=r"cannot load unset: (?s:.*)R0 !read_ok"):
        load_program("unset", RETURN_UNSET, KPROBE)
