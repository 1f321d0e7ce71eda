"""What a form's parser gives: a value with its doubts, or the reason why there is none."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parsed:
    """`value` of plain Python types; `doubts`: why two readers could understand the bytes differently."""

    value: Any
    doubts: tuple[str, ...] = ()


class UnreadableError(ValueError):
    """The bytes are not what they should be, or pass a limit. The text quotes no payload."""
