"""Which sessions a policy concerns: by what the API said of the container's pod when the session began, never by a claim of its own.

All keys of a selector must fit, of each key one pattern. A fact that the API did not tell of a container fits every pattern: a pod that
nobody could look up is not let off. A run is no pod: a selector that asks for anything of a pod does not concern it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from chaperone.collector.nodes import Place
from chaperone.collector.rules.event import Document
from chaperone.collector.rules.terms import Mode

KEYS = ("namespaces", "labels", "serviceAccounts", "containers", "nodes")
MODE_LABEL = "chaperone.dev/govern"
_FACTS = {"namespaces": "namespace", "serviceAccounts": "serviceAccount", "containers": "container"}
STRICTNESS = (Mode.OFF, Mode.RECORD, Mode.ENFORCE)


@dataclass(frozen=True, slots=True)
class Selector:
    """Patterns with * by key; `labels`: each label's pattern. Without any it concerns every session."""

    patterns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def concerns(self, session: Document) -> bool:
        """Does it fit this session's document?"""
        return all(_fits(_facts(session, key), patterns) for key, patterns in self.patterns) and self._has_labels(session)

    def _has_labels(self, session: Document) -> bool:
        if not self.labels or _is_unknown_pod(session):
            return True
        labels: Mapping[str, str] = session.get("labels") or {}
        return "lookedUp" in session and all(name in labels and fnmatchcase(labels[name], pattern) for name, pattern in self.labels)


EVERYTHING = Selector()


def selector(place: Place) -> Selector:
    """A policy's selector. PolicyError at the first mistake."""
    keys = place.mapping(KEYS)
    if not keys:
        raise place.error(f"expected one of {', '.join(KEYS)}; leave selector out to concern every session")
    return Selector(
        tuple((name, _patterns(keys[name])) for name in KEYS if name in keys and name != "labels"),
        tuple(_labels(keys["labels"])) if "labels" in keys else (),
    )


def raised(mode: Mode, session: Document) -> Mode:
    """A policy's mode for this session: the label chaperone.dev/govern of its pod can raise it and never lowers it."""
    label = (session.get("labels") or {}).get(MODE_LABEL, "") if "lookedUp" in session else ""
    wanted = Mode(label) if label in list(Mode) else mode
    return max(mode, wanted, key=STRICTNESS.index)


def _patterns(place: Place) -> tuple[str, ...]:
    if not (found := place.texts()):
        raise place.error("expected at least one pattern")
    return found


def _labels(place: Place) -> Iterator[tuple[str, str]]:
    if not (found := list(place.pairs())):
        raise place.error("expected at least one label, such as app: coder")
    yield from ((name, value.text()) for name, value in found)


def _facts(session: Document, key: str) -> str | None:
    """Empty for what is not known, None where there can be no such fact."""
    if key == "nodes":
        return str(session.get("node", ""))
    known = session.get("lookedUp")
    return None if known is None else str(known.get(_FACTS[key], ""))


def _fits(fact: str | None, patterns: tuple[str, ...]) -> bool:
    return fact == "" or (fact is not None and any(fnmatchcase(fact, pattern) for pattern in patterns))


def _is_unknown_pod(session: Document) -> bool:
    known = session.get("lookedUp")
    return known is not None and not known.get("name")
