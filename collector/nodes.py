"""YAML with places: every complaint names file, line and key, and what was expected. Anchors and repeated keys are refused."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import yaml

from chaperone.collector.times import SECOND

SIZE = 1 << 20
DEPTH = 50
TOO_DEEP = f"expected at most {DEPTH} levels"
_UNITS = {"ms": SECOND // 1000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h)")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
E = TypeVar("E", bound=StrEnum)


class PolicyError(ValueError):
    """A file that can't be used: `FILE:LINE: KEY: expected …, found …`."""

    def __init__(self, file: str, line: int, key: str, problem: str) -> None:
        super().__init__(f"{file}:{line}: {key + ': ' if key else ''}{problem}")
        self.file, self.line, self.key, self.problem = file, line, key, problem


@dataclass(frozen=True, slots=True)
class Place:
    """A node of a file, and the keys that lead to it."""

    file: str
    key: str
    node: yaml.Node

    def error(self, problem: str) -> PolicyError:
        """A complaint about this node."""
        return PolicyError(self.file, self.line, self.key, problem)

    @property
    def line(self) -> int:
        """Where it stands."""
        return int(self.node.start_mark.line) + 1

    def scalars(self) -> "Iterator[Place]":
        """Every text in it, keys too, each with the keys that lead to it."""
        if isinstance(self.node, yaml.MappingNode):
            for key, value in self.node.value:
                name = str(key.value)[:40] if isinstance(key, yaml.ScalarNode) else ""
                yield from Place(self.file, self.key, key).scalars()
                yield from Place(self.file, f"{self.key}.{name}".lstrip("."), value).scalars()
        elif isinstance(self.node, yaml.SequenceNode):
            for entry in self.entries():
                yield from entry.scalars()
        elif isinstance(self.node, yaml.ScalarNode):
            yield self

    def mapping(self, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> "dict[str, Place]":
        """Its values by key, none unknown, none twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"expected a mapping with {', '.join(required or allowed)}, found {_found(self.node)}")
        found: dict[str, Place] = {}
        for key, value in self.node.value:
            name = Place(self.file, self.key, key).text()
            below = Place(self.file, f"{self.key}.{name}".lstrip("."), value)
            if name not in allowed:
                raise Place(self.file, below.key, key).error(f"unknown key; expected one of {', '.join(allowed)}")
            if name in found:
                raise Place(self.file, below.key, key).error("expected each key once, found it again")
            found[name] = below
        if missing := [name for name in required if name not in found]:
            raise self.error(f"expected the key {missing[0]}, which is missing")
        return found

    def pairs(self) -> "Iterator[tuple[str, Place]]":
        """Its values by keys of any name, none twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"expected a mapping of names to texts, found {_found(self.node)}")
        yield from self.mapping(tuple(str(key.value) for key, _ in self.node.value)).items()

    def entries(self) -> "list[Place]":
        """Its items."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"expected a list, found {_found(self.node)}")
        return [Place(self.file, f"{self.key}[{number}]", node) for number, node in enumerate(self.node.value)]

    def text(self) -> str:
        """A text that is not empty."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            raise self.error(f"expected a text, found {_found(self.node)}")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(item.text() for item in self.entries())

    def number(self, lowest: int, highest: int) -> int:
        """A whole number."""
        text = self.text()
        if not re.fullmatch(r"\d{1,9}", text) or not lowest <= int(text) <= highest:
            raise self.error(f"expected a whole number from {lowest} to {highest}, found {text[:40]!r}")
        return int(text)

    def duration_ns(self) -> int:
        """A time span such as 60s."""
        found = _DURATION.fullmatch(self.text())
        if not found or not 0 < int(found[1]) * _UNITS[found[2]] <= 24 * 3600 * SECOND:
            raise self.error(f"expected a time up to 24h such as 60s, 5m or 2h, found {self.text()[:40]!r}")
        return int(found[1]) * _UNITS[found[2]]

    def choice(self, kind: type[E]) -> E:
        """One of a few words."""
        text = self.text()
        if text not in [member.value for member in kind]:
            raise self.error(f"expected one of {', '.join(kind)}, found {text[:40]!r}")
        return kind(text)


def documents(text: str, file: str) -> Iterator[Place]:
    """The documents of a file. PolicyError when it is no YAML, or too much of it."""
    if len(text) > SIZE:
        raise PolicyError(file, 1, "", f"expected at most {SIZE} characters, found {len(text)}")
    try:
        _refuse_odd(text, file)
        for node in yaml.compose_all(text, _LOADER):
            if node is not None and not (isinstance(node, yaml.ScalarNode) and not node.value):
                yield Place(file, "", node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PolicyError(file, mark.line + 1 if mark else 1, "", _complaint(error)) from None
    except (yaml.YAMLError, UnicodeError):
        raise PolicyError(file, 1, "", "expected YAML, found characters that it cannot have") from None


def _refuse_odd(text: str, file: str) -> None:
    """Anchors and deep nesting, before nodes are made of them."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if getattr(event, "anchor", None):
            raise PolicyError(file, _line(event), "", "expected no anchors and aliases; use macros and lists")
        if depth > DEPTH:
            raise PolicyError(file, _line(event), "", TOO_DEEP)


def _complaint(error: yaml.MarkedYAMLError) -> str:
    """A newer libyaml looks ahead, and may come to its own limit of levels (1000) before we have seen ours."""
    is_deep = "nesting depth" in (error.problem or "")
    return TOO_DEEP if is_deep else f"expected YAML, found: {error.problem or error.context}"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _found(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:40]) if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
