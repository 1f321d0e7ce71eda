"""Parts of objects as an API tells them, where each may be missing or something else."""

from collections.abc import Mapping
from typing import Any


def mapping(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What has names; {} where there is none."""
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def mappings(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Each of a list, {} for one that has no names; [] where there is no list."""
    value = of.get(key)
    return [one if isinstance(one, dict) else {} for one in value] if isinstance(value, list) else []


def text(of: Mapping[str, Any], key: str) -> str:
    """A text; "" where there is none."""
    value = of.get(key)
    return value if isinstance(value, str) else ""
