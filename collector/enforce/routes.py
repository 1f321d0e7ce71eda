"""Which receivers an alert goes to, and which alerts are alike."""

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from chaperone.collector.enforce.alert import Alert
from chaperone.collector.enforce.alerting import Alerting, Grouping, Route
from chaperone.collector.rules.verdict import Severity

RANK = {str(severity): number for number, severity in enumerate(Severity)}


def receivers_of(alerting: Alerting, alert: Alert) -> list[str]:
    """The names of all receivers that any route says, each once."""
    return list(dict.fromkeys(name for route in alerting.routes if fits(route, alert) for name in route.to))


def fits(route: Route, alert: Alert) -> bool:
    """Does the route take this alert?"""
    if RANK[alert.severity] < RANK[route.severity]:
        return False
    patterns = _any(route.policies, alert.policy) and _any(route.rules, alert.rule)
    return patterns and all(fnmatchcase(alert.labels.get(name, ""), wanted) for name, wanted in route.labels.items())


def likeness(grouping: Grouping, alert: Alert) -> str:
    """Equal for alerts that are alike."""
    values = {
        "policy": alert.policy,
        "rule": alert.rule,
        "account": alert.who.serviceAccount or alert.who.asked,
        "session": alert.session,
        "workload": alert.who.workload,
        "severity": alert.severity,
        "user": alert.who.user,
        "namespace": alert.what.namespace,
        "resource": alert.what.resource,
    }
    text = "\0".join(f"{name}={values[name]}" for name in grouping.by)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


def _any(patterns: Iterable[str], text: str) -> bool:
    patterns = tuple(patterns)
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
