"""A judged request → what people are asked about it; pure.

Its requester is who it is beyond one session, so that a command that is told to come again finds its approval: a pod's service
account as the API knows it, or the user of a run on its machine. Where collectors share a database it is that account on that node: a
node's agent has one collector at a time, so that what was approved is used there, and once.
"""

import shlex
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chaperone.collector.enforce.alert import LONG, Alert, alert_of, cut
from chaperone.collector.enforce.approvals.shells import shell_in
from chaperone.collector.enforce.approvals.values import Asking, Need
from chaperone.collector.rules.event import Document
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Enforce, Verdict


def asking_of(judged: Judged, store: str = "", is_shared: bool = False) -> Asking | None:
    """None when no rule that acts wants approval. `store`: options that name it in commands; `is_shared`: by several collectors."""
    wanting = [verdict for verdict in judged.verdicts if _wants(verdict)]
    if not wanting:
        return None
    document, session = judged.event.document, judged.event.session
    consents = [verdict.consent for verdict in wanting if verdict.consent]
    return Asking(
        binding="" if document.get("ambiguous") else str(document.get("binding", "")),
        requester=requester_of(session, is_shared),
        needs=tuple(sorted({_need(verdict) for verdict in wanting}, key=repr)),
        identities=frozenset(_identities(document, session)),
        session=str(document.get("session", "")),
        stream=judged.stream,
        call=str(document["id"]),
        hold_ns=min(consent.hold_limit_ns for consent in consents),
        expires_ns=min(consent.expires_ns for consent in consents),
        alert=_alert(judged, wanting[0], store),
        sent=document,
    )


def requester_of(session: Document, is_shared: bool = False) -> str:
    """Whose requests one approval may be used by."""
    if account := (session.get("lookedUp") or {}).get("serviceAccount"):
        return f"serviceaccount {account}" + (f" on {session.get('node', '')}" if is_shared else "")
    if user := session.get("user"):
        return f"user {user} on {session.get('node', '')}"
    return f"workload {session.get('workload') or session.get('id', '')}"


def _wants(verdict: Verdict) -> bool:
    return verdict.action is Action.APPROVE and verdict.effective is Enforce.ENFORCE and verdict.consent is not None


def _need(verdict: Verdict) -> Need:
    assert verdict.consent is not None
    return Need(verdict.rule, verdict.policy, verdict.consent.approvals, verdict.consent.approvers)


def _identities(document: Document, session: Document) -> set[str]:
    """Who the request is made as; none of them may decide on it."""
    account = (session.get("lookedUp") or {}).get("serviceAccount")
    names = [document.get("user"), (document.get("impersonated") or {}).get("user"), account and f"system:serviceaccount:{account}"]
    asked = session.get("user")
    return {f"user:{name}" for name in names if name} | ({f"unix:{asked}"} if asked else set())


def _alert(judged: Judged, verdict: Verdict, store: str) -> Alert:
    return replace(alert_of(judged, verdict, store), approval={"command": _command(judged), "shell": _shell(judged)})


def _command(judged: Judged) -> str:
    """The command that an exec starts, masked as the URL is."""
    return cut(shlex.join(_words(judged.event.document)), LONG)


def _shell(judged: Judged) -> str:
    """The shell it is, and whether somebody can type into it."""
    document = judged.event.document
    name = shell_in(_words(document))
    query = _query(document)
    is_interactive = query.get("stdin") == ["true"] and query.get("tty") == ["true"]
    return f"{name}, interactive" if name and is_interactive else name


def _words(document: Document) -> list[str]:
    return _query(document).get("command", []) if document.get("subresource") == "exec" else []


def _query(document: Document) -> dict[str, Any]:
    return parse_qs(urlsplit(str(document.get("requestURI", ""))).query)
