"""Masking files → what is masked; and the copy that a store keeps, so that every collector of it masks alike."""

from pathlib import Path

from chaperone.collector.ingest.policies import text_of
from chaperone.collector.mask.document import maskings
from chaperone.collector.mask.masking import BUILT_IN, Masking, joined

NONE = "none"  # in place of a file: the built-in masking alone


def read_masking(paths: list[Path]) -> Masking:
    """What files say together. PolicyError at the first mistake or unreadable file."""
    return joined([maskings(text_of(path), str(path)) for path in paths]) if paths else BUILT_IN


def settled_text(path: Path) -> str:
    """What a store is to remember: a file's text, checked; "" for `none`."""
    if str(path) == NONE and not path.exists():
        return ""
    maskings(text := text_of(path), str(path))
    return text


def remembered(text: str, file: str) -> Masking:
    """What a store remembers."""
    return maskings(text, file) if text.strip() else BUILT_IN
