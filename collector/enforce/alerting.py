"""`kind: Alerting` → frozen values: who is told what. A file with one mistake is refused whole.

Errors name file, line and key. What stands under `receivers` may be a secret in the wrong place and is never quoted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chaperone.collector.enforce import secret
from chaperone.collector.enforce.secret import Secret, SecretError
from chaperone.collector.nodes import SIZE, Place, PolicyError, documents
from chaperone.collector.rules.verdict import Severity
from chaperone.collector.times import SECOND

API_VERSION = "chaperone.dev/v1"
TIMEOUT_S = 10.0
KEY_LEAST = 16  # characters of a signing key
LOOPBACK = ("127.0.0.1", "::1", "localhost")
BY = ("policy", "rule", "account", "session", "workload", "severity", "user", "namespace", "resource")
_QUOTED = re.compile(r"found (['\"]).*", re.DOTALL)
_KINDS = ("slack", "webhook", "jsonl")
_ENDPOINT = ("url", "urlFile", "urlEnv", "caFile", "timeout")
_SIGNING = ("key", "keyFile", "keyEnv")
_BOT = ("token", "tokenFile", "tokenEnv")
SLACK_API = "https://slack.com/api/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An HTTP receiver. `ca`: a file of certificates to trust instead of the system's; `timeout_s`: for the whole exchange."""

    url: Secret
    ca: str = ""
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook of Slack; or, with a token, its Web API (chat:write), by which a message can be rewritten."""

    endpoint: Endpoint
    token: Secret | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Webhook:
    """JSON, signed with `key`."""

    endpoint: Endpoint
    key: Secret


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One message a line, at the end of a file, or on stdout where `file` is "-"."""

    file: str


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many messages within so long; what is beyond comes together in one."""

    messages: int
    within_ns: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where messages go."""

    name: str
    to: Slack | Webhook | JsonLines
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go to which receivers: at least as severe, and each list that is not empty has a pattern that fits."""

    to: tuple[str, ...]
    severity: Severity = Severity.INFO
    policies: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Alerts equal in `by` are alike: the first is told at once, how many more after `again_ns`, then after twice as long and so
    on up to an hour; after `quiet_ns` without any, the next counts as a first again. `account`: the pod's service account as the API
    knows it, else who asked for the run: sessions are many, and one account's are alike."""

    by: tuple[str, ...] = ("policy", "rule", "account")
    again_ns: int = 60 * SECOND
    quiet_ns: int = 900 * SECOND


@dataclass(frozen=True, slots=True)
class Alerting:
    """The whole file. `keep`: alerts in the outbox; `waiting`: at most so many undelivered ones for each receiver."""

    receivers: tuple[Receiver, ...] = ()
    routes: tuple[Route, ...] = ()
    grouping: Grouping = Grouping()
    keep: int = 10_000
    waiting: int = 1_000

    def receiver(self, name: str) -> Receiver | None:
        """The receiver of this name."""
        return next((receiver for receiver in self.receivers if receiver.name == name), None)


NOBODY = Alerting()


def read_alerting(path: Path) -> Alerting:
    """What a file says. PolicyError at the first mistake, and when it can't be read."""
    try:
        with path.open("rb") as opened:
            text = opened.read(4 * SIZE + 1).decode()
    except OSError as error:
        raise PolicyError(str(path), 1, "", f"expected a file that can be read, found: {error.strerror}") from None
    except UnicodeDecodeError:
        raise PolicyError(str(path), 1, "", "expected UTF-8") from None
    return alerting(text, str(path))


def alerting(text: str, file: str) -> Alerting:
    """One document of kind Alerting. PolicyError, which quotes nothing that may be a secret."""
    try:
        found = list(documents(text, file))
        if len(found) != 1:
            raise PolicyError(file, 1, "", f"expected one document of kind: Alerting, found {len(found)}")
        return _alerting(found[0])
    except PolicyError as error:
        raise _unquoted(error) from None


def _unquoted(error: PolicyError) -> PolicyError:
    if error.key.startswith(("routes", "grouping", "outbox")):
        return error
    key = re.sub(r"[^\w.\[\]].*", "…", error.key, flags=re.DOTALL)
    return PolicyError(error.file, error.line, key, _QUOTED.sub("found another text", error.problem))


def _alerting(place: Place) -> Alerting:
    keys = place.mapping(
        ("apiVersion", "kind", "metadata", "receivers", "routes", "grouping", "outbox"), ("apiVersion", "kind", "receivers")
    )
    for key, wanted in (("apiVersion", API_VERSION), ("kind", "Alerting")):
        if keys[key].text() != wanted:
            raise keys[key].error(f"expected {wanted}")
    receivers = tuple(_receiver(entry) for entry in keys["receivers"].entries())
    names = [receiver.name for receiver in receivers]
    if twice := [index for index, name in enumerate(names) if name in names[:index]]:
        raise keys["receivers"].entries()[twice[0]].error("expected each receiver's name once, found it again")
    routes = tuple(_route(entry, names) for entry in keys["routes"].entries()) if "routes" in keys else (Route(tuple(names)),)
    bounds = keys["outbox"].mapping(("keep", "waiting")) if "outbox" in keys else {}
    return Alerting(
        receivers,
        routes,
        _grouping(keys["grouping"]) if "grouping" in keys else Grouping(),
        bounds["keep"].number(10, 1_000_000) if "keep" in bounds else NOBODY.keep,
        bounds["waiting"].number(10, 100_000) if "waiting" in bounds else NOBODY.waiting,
    )


def _receiver(place: Place) -> Receiver:
    keys = place.mapping(("name", *_KINDS, "limit"), ("name",))
    kinds = [kind for kind in _KINDS if kind in keys]
    name = keys["name"].text()
    if not re.fullmatch(r"[\w.-]{1,63}", name, re.ASCII):
        raise keys["name"].error("expected a name of up to 63 letters, digits, '.', '_' and '-'")
    if len(kinds) != 1:
        raise place.error(f"expected one of {', '.join(_KINDS)}, found {len(kinds)} of them")
    make, limit = _MAKERS[kinds[0]]
    return Receiver(name, make(keys[kinds[0]]), _limit(keys["limit"]) if "limit" in keys else limit)


def _slack(place: Place) -> Slack:
    keys = place.mapping((*_ENDPOINT, *_BOT, "channel"))
    if not any(key in keys for key in (*_BOT, "channel")):
        return Slack(_endpoint(keys, place))
    if "channel" not in keys or not re.fullmatch(r"[CGD][A-Z0-9]{2,30}", keys["channel"].text()):
        raise place.error("expected beside a token the id of a channel, such as C0123456789")
    token, where = _secret(keys, "token", place)
    if not re.fullmatch(r"[\x21-\x7e]+", token.reveal()):
        raise where.error("expected a token of visible characters")
    return Slack(_endpoint(keys, place, SLACK_API), token, keys["channel"].text())


def _webhook(place: Place) -> Webhook:
    keys = place.mapping((*_ENDPOINT, *_SIGNING))
    key, where = _secret(keys, "key", place)
    if len(key.reveal()) < KEY_LEAST:
        raise where.error(f"expected a key of at least {KEY_LEAST} characters")
    return Webhook(_endpoint(keys, place), key)


def _json_lines(place: Place) -> JsonLines:
    file = place.mapping(("file",), ("file",))["file"]
    if file.text() != "-" and not Path(file.text()).is_absolute():
        raise file.error("expected an absolute path, or - for stdout")
    return JsonLines(file.text())


_MAKERS: dict[str, tuple[Any, Limit | None]] = {
    "slack": (_slack, Limit(20, 60 * SECOND)),
    "webhook": (_webhook, Limit(120, 60 * SECOND)),
    "jsonl": (_json_lines, None),
}


def _endpoint(keys: Mapping[str, Place], place: Place, usual: str = "") -> Endpoint:
    is_given = not usual or any(key in keys for key in ("url", "urlFile", "urlEnv"))
    url, where = _secret(keys, "url", place) if is_given else (Secret(usual), place)
    _check_url(url, where)
    ca = keys["caFile"].text() if "caFile" in keys else ""
    if ca and not Path(ca).is_file():
        raise keys["caFile"].error("expected a file of certificates that exists")
    timeout = keys["timeout"].duration_ns() / SECOND if "timeout" in keys else TIMEOUT_S
    if not 0 < timeout <= 60:
        raise keys["timeout"].error("expected a time up to 60s")
    return Endpoint(url, ca, timeout)


def _check_url(url: Secret, place: Place) -> None:
    """Without TLS only to this machine: an alert says what goes on inside."""
    text = url.reveal()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise place.error("expected a URL") from None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise place.error("expected a URL of ASCII characters without spaces")
    if not host or parts.username or not (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)):
        raise place.error("expected an https:// URL without user, or http:// to a loopback address")


def _secret(keys: Mapping[str, Place], name: str, place: Place) -> tuple[Secret, Place]:
    """From NAME, NAMEFile or NAMEEnv, and where that stands."""
    given = [key for key in (name, f"{name}File", f"{name}Env") if key in keys]
    if len(given) != 1:
        raise place.error(f"expected one of {name}, {name}File, {name}Env, found {len(given)} of them")
    where = keys[given[0]]
    try:
        if given[0] == name:
            return Secret(where.text().strip()), where
        return (secret.from_file if given[0].endswith("File") else secret.from_environment)(where.text()), where
    except SecretError as error:
        raise where.error(str(error)) from None


def _limit(place: Place) -> Limit:
    keys = place.mapping(("messages", "within"), ("messages", "within"))
    return Limit(keys["messages"].number(1, 10_000), keys["within"].duration_ns())


def _route(place: Place, names: list[str]) -> Route:
    keys = place.mapping(("to", "severity", "policies", "rules", "labels"), ("to",))
    for entry in keys["to"].entries():
        if entry.text() not in names:
            raise entry.error(f"expected the name of a receiver: {', '.join(names)}")
    return Route(
        keys["to"].texts(),
        keys["severity"].choice(Severity) if "severity" in keys else Severity.INFO,
        keys["policies"].texts() if "policies" in keys else (),
        keys["rules"].texts() if "rules" in keys else (),
        _labels(keys["labels"]) if "labels" in keys else {},
    )


def _labels(place: Place) -> dict[str, str]:
    node: Any = place.node
    names = tuple(str(key.value) for key, _ in node.value) if hasattr(node, "flow_style") and isinstance(node.value, list) else ()
    return {name: value.text() for name, value in place.mapping(names).items()}


def _grouping(place: Place) -> Grouping:
    keys = place.mapping(("by", "again", "quiet"))
    by = keys["by"].entries() if "by" in keys else []
    for entry in by:
        if entry.text() not in BY:
            raise entry.error(f"expected one of {', '.join(BY)}, found {entry.text()[:40]!r}")
    return Grouping(
        tuple(entry.text() for entry in by) if "by" in keys else Grouping().by,
        keys["again"].duration_ns() if "again" in keys else Grouping().again_ns,
        keys["quiet"].duration_ns() if "quiet" in keys else Grouping().quiet_ns,
    )
