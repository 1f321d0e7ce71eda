"""Facts of pods that the traffic did not show, asked of the API before a batch is judged: so judging itself stays pure.

Asked is only where a rule of the session would read them, and only of the API that the call goes to. What comes back is masked before
anything else sees it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

from chaperone.collector.mask.masked import MaskedText
from chaperone.collector.rules import content
from chaperone.collector.rules.document import Rule
from chaperone.collector.rules.event import Document, Event
from chaperone.collector.rules.words import asks_for_pod

Named = tuple[str, str]  # namespace, name


class Source(Protocol):
    """lookup.pods.Pods."""

    def is_about(self, authority: str) -> bool:
        """Are calls to this host made to the API that is asked?"""
        ...

    def of(self, wanted: Collection[Named]) -> Mapping[Named, Mapping[str, Any]]:
        """Those pods that are known in bounded time."""
        ...


class Asking:
    """What one batch needs to know. Without a source nothing is asked."""

    def __init__(self, source: Source | None, mask: Callable[[str], MaskedText]) -> None:
        self._source, self._mask = source, mask
        self._facts: dict[Named, Document] = {}

    def gather(self, events: Iterable[tuple[Event, Iterable[Rule]]]) -> None:
        """Ask for all that these events' rules may read."""
        self._facts = {}
        if (source := self._source) is None:
            return
        asked = (event for event, rules in events if asks_for_pod(event) and any(map(reads_target, rules)))
        wanted = {_named(event): None for event in asked if source.is_about(str(event.document["authority"]))}
        if wanted:
            self._facts = {named: self._masked(content.pod_facts(pod)) for named, pod in source.of(wanted).items()}

    def told(self, event: Event) -> Event:
        """With what was found out about its pod."""
        if not self._facts or self._source is None or not asks_for_pod(event):
            return event
        facts = self._facts.get(_named(event))
        if facts is None or not self._source.is_about(str(event.document["authority"])):
            return event
        return event.with_lookup({**event.lookup, "target": facts})

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, Mapping):
            return {self._mask(str(key)): self._masked(item) for key, item in value.items()}
        return [self._masked(item) for item in value] if isinstance(value, list) else value


def reads_target(rule: Rule) -> bool:
    """Does it ask anything about the pod concerned?"""
    words = (*rule.when.words, *rule.message.words, *(rule.then.when.words if rule.then else ()))
    return any(word.startswith("target.") for word in words)


def _named(event: Event) -> Named:
    return str(event.document["namespace"]), str(event.document["name"])
