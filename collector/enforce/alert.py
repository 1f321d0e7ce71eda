"""An alert: what one verdict said, with all that a person needs, as a value of masked texts only.

Its id is made of what was judged and by which rule, never of a clock: a call that is judged again after a crash gives the same
alert. Texts are bounded here, so that no receiver has to cope with more.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chaperone.collector.rules.event import CONNECTIONS, Subject, command_line
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Verdict

SCHEMA = "chaperone.dev/alert/v1"
TOLD = frozenset({Action.ALERT, Action.DENY, Action.APPROVE, Action.KILL, Action.MASK})
TEXT = 400  # characters of one text
LONG = 2_000  # of the message, the URL and the command line
ENTRIES = 40  # of evidence, and of labels
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class What:
    """What was asked for. Of something that is not Kubernetes only method, authority and path (as `uri`) are known."""

    subject: str
    method: str
    uri: str
    authority: str
    verb: str = ""
    apiGroup: str = ""  # noqa: N815 - as the documents spell it
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Who:
    """`user`: as the credential claims or the pod is known; `asked`: who asked for the run. The rest as known from the API."""

    user: str
    userSource: str  # noqa: N815
    asked: str
    workload: str
    pod: str
    serviceAccount: str  # noqa: N815
    node: str


@dataclass(frozen=True, slots=True)
class Acting:
    """The process."""

    pid: int | None
    exe: str
    command: str
    cwd: str


@dataclass(frozen=True, slots=True)
class Alert:
    """`mode`: how seriously the rule is taken under its policy; `moment`: when it was judged. `replay` and `inspect` are commands."""

    id: str
    time: str
    severity: str
    action: str
    mode: str
    rule: str
    policy: str
    mitre: tuple[str, ...]
    message: str
    moment: str
    what: What
    who: Who
    process: Acting
    session: str
    call: str
    evidence: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    labels: Mapping[str, str]
    replay: str
    inspect: str
    approval: Mapping[str, Any] = field(default_factory=dict)  # of one that asks people, or tells them what became of it


def alerts_of(judged: Judged, store: str = "") -> list[Alert]:
    """The alerts of an event's verdicts: of all but those that allow. `store`: options that name it in commands."""
    return [alert_of(judged, verdict, store) for verdict in judged.verdicts if verdict.action in TOLD]


def document(alert: Alert) -> dict[str, Any]:
    """The alert as JSON values: docs/alert.schema.json."""
    evidence = [{"word": word, "value": value} for word, value in alert.evidence]
    found = {"schema": SCHEMA, **asdict(alert), "mitre": [*alert.mitre], "evidence": evidence, "unknown": [*alert.unknown]}
    if not alert.approval:
        del found["approval"]
    return found


def alert_from(found: Document) -> Alert:
    """The alert whose document this is."""
    texts = {key: value for key, value in found.items() if key != "schema"}
    return Alert(
        **texts
        | {
            "mitre": tuple(found["mitre"]),
            "what": What(**found["what"]),
            "who": Who(**found["who"]),
            "process": Acting(**found["process"]),
            "evidence": tuple((item["word"], item["value"]) for item in found["evidence"]),
            "unknown": tuple(found["unknown"]),
        }
    )


def alert_of(judged: Judged, verdict: Verdict, store: str = "") -> Alert:
    """The alert of one verdict."""
    found, session = judged.event.document, str(judged.event.document.get("session", ""))
    subject = judged.event.subject
    call = str(found["call"]) if subject is Subject.SECRET else verdict.evidence.subject
    return Alert(
        id=_id(judged, verdict),
        time=verdict.evidence.time,
        severity=str(verdict.severity),
        action=str(verdict.action),
        mode=str(verdict.effective),
        rule=cut(verdict.rule),
        policy=cut(verdict.policy),
        mitre=tuple(map(cut, verdict.mitre[:ENTRIES])),
        message=cut(verdict.message, LONG),
        moment=verdict.moment.name.lower(),
        what=_what(judged.event.subject, found),
        who=_who(found, judged.event.session),
        process=_acting({**found["process"], **judged.process}),
        session=session,
        call=call,
        evidence=tuple((word, cut(value)) for word, value in verdict.evidence.words[:ENTRIES]),
        unknown=verdict.evidence.unknown[:ENTRIES],
        labels=dict([(cut(str(key)), cut(str(value))) for key, value in _labels(judged).items()][:ENTRIES]),
        replay=f"chaperone replay {session}{store}",
        inspect=f"chaperone calls show {call}{store}" if call and subject not in CONNECTIONS else "",
    )


def _id(judged: Judged, verdict: Verdict) -> str:
    event = judged.event
    text = "\0".join((verdict.policy, verdict.rule, event.subject, event.key, event.moment.name))
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16, person=b"chaperone-alert").hexdigest()


def _what(subject: Subject, found: Document) -> What:
    texts = {key: cut(str(found.get(key) or "")) for key in ("verb", "apiGroup", "resource", "subresource", "namespace", "name")}
    uri = cut(str(found.get("requestURI") or found.get("path") or ""), LONG)
    return What(
        str(subject),
        cut(str(found.get("method", ""))),
        uri,
        cut(str(found.get("authority") or found.get("host", ""))),
        **texts,
        code=found.get("code"),
    )


def _who(found: Document, session: Document) -> Who:
    known = session.get("lookedUp") or {}
    return Who(
        user=cut(str(found.get("user") or "")),
        userSource=str(found.get("userSource") or "unknown"),
        asked=cut(str(session.get("user") or "")),
        workload=cut(str(session.get("workload") or "")),
        pod=cut(str(known.get("pod") or "")),
        serviceAccount=cut(str(known.get("serviceAccount") or "")),
        node=cut(str(session.get("node") or "")),
    )


def _acting(process: Document) -> Acting:
    command = cut(command_line(process), LONG)
    return Acting(process.get("pid"), cut(str(process.get("exe") or "")), command, cut(str(process.get("cwd") or "")))


def _labels(judged: Judged) -> Document:
    labels: Document = judged.event.session.get("labels") or {}
    return labels


def cut(text: str, limit: int = TEXT) -> str:
    """At most `limit` characters, all of which UTF-8 can have."""
    clean = text[:limit].encode(errors="replace").decode()
    return clean if len(text) <= limit else f"{clean[: limit - 1]}…"
