"""Maps in bytecode are numbers until it is loaded."""

import struct

import pytest

from chaperone.agent.trace.bytecode import Bytecode, MapShape, relinked

INSTRUCTION = struct.Struct("<BBhi")
EXIT = INSTRUCTION.pack(0x95, 0, 0, 0)


def wide(number: int, source: int = 1) -> bytes:
    """r1 = a 64-bit constant, which is a map if its source register says so."""
    return INSTRUCTION.pack(0x18, source << 4 | 1, 0, number) + INSTRUCTION.pack(0, 0, 0, 0)


def test_each_map_gets_the_number_it_has_elsewhere() -> None:
    code = wide(7) + wide(9) + wide(7) + EXIT
    assert relinked(code, {7: 0, 9: 1}) == wide(0) + wide(1) + wide(0) + EXIT
    assert relinked(relinked(code, {7: 0, 9: 1}), {0: 7, 1: 9}) == code


def test_other_constants_stay() -> None:
    code = wide(7, source=0) + INSTRUCTION.pack(0xB7, 1 << 4, 0, 7) + EXIT
    assert relinked(code, {7: 0}) == code


def test_a_map_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        relinked(wide(8), {7: 0})


def test_packed_and_unpacked() -> None:
    bytecode = Bytecode((MapShape("streams", 1, 8, 16, 4096, 0),), {"on_exit": wide(0) + EXIT})
    assert Bytecode.unpacked(bytecode.packed()) == bytecode
