"""Rules as they concern a session of the past: which policies select it, and those it brought, as far as their texts were kept."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from chaperone.collector.rules.document import Policy, policies
from chaperone.collector.rules.event import Document
from chaperone.collector.rules.ruleset import Rules, arranged, concerning, joined
from chaperone.collector.rules.selector import EVERYTHING

INEXACT = "{name}: a secret in its text was masked when it was kept, so what it says of the session may differ from then: name the file"


def brought(session: Document) -> list[Policy]:
    """The policies that a session brought, from their masked texts. PolicyError when masking left no policy of one."""
    return [replace(policy, selector=EVERYTHING) for kept in _kept(session) for policy in policies(kept["text"], "policy")]


def in_session(rules: Rules, session: Document) -> Rules:
    """What of these rules judges a session, with what it brought."""
    return joined(concerning(rules, session), brought(session))[0]


def tried(policies_: Iterable[Policy], session: Document) -> Rules:
    """Policies that are tried on a session; of one that it brought then the selector is not asked now either."""
    named = {policy["policy"] for policy in session.get("governedBy", ()) if policy["from"] == "run"}
    return arranged(replace(policy, selector=EVERYTHING) if policy.name in named else policy for policy in policies_)


def remarks(rules: Rules, session: Document) -> Iterator[str]:
    """What must be said about how these rules concern a session."""
    for policy in rules.policies:
        if not policy.selector.concerns(session):
            yield f"{policy.name}: its selector does not concern this session{'' if 'lookedUp' in session else ', which is of no pod'}"


def inexact(session: Document) -> Iterator[str]:
    """What must be said about the policies it brought."""
    for kept in _kept(session):
        if kept["masked"]:
            yield INEXACT.format(name=f"policy {kept['digest'][:12]}")


def _kept(session: Document) -> list[dict[str, Any]]:
    """An earlier version's bare texts do not count: nothing says whether they are whole."""
    return [kept for kept in session.get("policies", ()) if isinstance(kept, dict)]
