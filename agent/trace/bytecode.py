"""Compiled BPF programs as values: instructions (struct bpf_insn, linux/bpf.h), and the maps they name by number."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import msgpack

SIZE = 8  # of an instruction: opcode, registers, 16 bits of offset, 32 of a constant
LOAD_WIDE, MAP_FD = 0x18, 1  # BPF_LD | BPF_IMM | BPF_DW; as its source register, BPF_PSEUDO_MAP_FD


@dataclass(frozen=True, slots=True)
class MapShape:
    """What BPF_MAP_CREATE wants to know. Sizes in bytes."""

    name: str
    kind: int
    key_size: int
    value_size: int
    entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class Bytecode:
    """`programs`: name → instructions, in which a map is its number in `maps`."""

    maps: tuple[MapShape, ...]
    programs: dict[str, bytes]

    def packed(self) -> bytes:
        """For `unpacked`."""
        packed: bytes = msgpack.packb((tuple(map(astuple, self.maps)), self.programs))
        return packed

    @classmethod
    def unpacked(cls, packed: bytes) -> "Bytecode":
        """What `packed` gave."""
        maps, programs = msgpack.unpackb(packed)
        return cls(tuple(MapShape(*shape) for shape in maps), programs)


def relinked(code: bytes, places: Mapping[int, int]) -> bytes:
    """The same instructions with every map's number replaced. KeyError for one that `places` lacks."""
    changed = bytearray(code)
    for at in range(0, len(code), SIZE):
        if code[at] == LOAD_WIDE and code[at + 1] >> 4 == MAP_FD:
            number = int.from_bytes(code[at + 4 : at + 8], "little")
            changed[at + 4 : at + 8] = places[number].to_bytes(4, "little")
    return bytes(changed)
