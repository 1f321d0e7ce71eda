"""Judged events and alerts, made from few facts."""

from typing import Any

from support.judged_events import call

from chaperone.collector.enforce.alert import Alert, alerts_of
from chaperone.collector.enforce.alerting import Alerting, Endpoint, Grouping, Receiver, Route, Slack, Webhook
from chaperone.collector.enforce.gathered import Alike, Gathering
from chaperone.collector.enforce.routes import likeness
from chaperone.collector.enforce.secret import Secret
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Enforce, Evidence, Moment, Severity, Verdict

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
KEY = Secret("k" * 32)


def verdict(event: Event, action: Action = Action.ALERT, rule: str = "surge", **changed: Any) -> Verdict:
    facts: dict[str, Any] = {
        "policy": "agents",
        "enforce": Enforce.OBSERVE,
        "severity": Severity.HIGH,
        "mitre": ("T1609",),
        "message": "secrets <read> & more",
        "moment": event.moment,
        "evidence": Evidence(event.document["id"], event.document["stream"], event.time, (("call.name", event.document.get("name", "")),)),
    }
    return Verdict(action, rule, **(facts | changed))


def judged(number: int = 0, *verdicts: Verdict, session: dict[str, Any] | str | None = None, **changed: Any) -> Judged:
    """The call at position `number`, with these verdicts or one that alerts. `session`: its id, or what its document has besides."""
    if isinstance(session, str):
        changed, session = {**changed, "session": session}, {"id": session}
    made = call(Moment.REQUEST, **({"id": f"{number:032x}"} | changed))
    event = Event(made.subject, made.moment, made.time, made.document, session={**made.session, **(session or {})})
    process = {"pid": 7, "exe": "/usr/bin/kubectl", "argv": ["kubectl", "get", "secrets"], "cwd": "/work"}
    return Judged(event, verdicts or (verdict(event),), "a" * 32, number, number + 10, process)


def alert(number: int = 0, **changed: Any) -> Alert:
    """One alert; `rule`, `severity`, `message` of its verdict, the rest of its call."""
    told = {key: changed.pop(key) for key in ("rule", "severity", "message", "policy", "action") if key in changed}
    plain = judged(number, **changed)
    [found] = alerts_of(judged(number, verdict(plain.event, **told), **changed))
    return found


def gathered(*alerts: Alert, grouping: Grouping | None = None) -> dict[str, Alike]:
    gathering = Gathering()
    for one in alerts:
        gathering.add(likeness(grouping or Grouping(), one), one)
    return gathering.take()


def slack(url: str, **changed: Any) -> Receiver:
    return Receiver("slack", Slack(Endpoint(Secret(url), **changed)), None)


def webhook(url: str, name: str = "hook", **changed: Any) -> Receiver:
    return Receiver(name, Webhook(Endpoint(Secret(url), **changed), KEY), None)


def to(*receivers: Receiver, **changed: Any) -> Alerting:
    """Everything to all of these."""
    return Alerting(receivers, (Route(tuple(receiver.name for receiver in receivers)),), **changed)
