"""The words of rules: WORDS is the whole language. A word's docstring is its line in the manual.

Each word reads one event and gives a value of its type, or raises UnknownError when the fact is not known (not looked up,
not kept). On an event that has nothing of the kind (call.verb on an egress) it is empty: "", 0, false, [].

The file is as long as the language: a word is a function of a few lines.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chaperone.collector.rules import content
from chaperone.collector.rules.event import Document, Event, Subject
from chaperone.collector.rules.verdict import Moment

Value = Any
HEALTH = ("/healthz", "/livez", "/readyz")
PUBLIC = (*HEALTH, "/version", "/.well-known")
NAMES_PORT = 53
PAIRS = 10_000  # of a query; of more Go's servers read none
WRITES = frozenset({"create", "update", "patch", "apply"})
EMPTY: dict[str, Value] = {"string": "", "int": 0, "bool": False, "list(string)": [], "dyn": {}}


class UnknownError(Exception):
    """The fact is not known."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word: its CEL type, when it is known at the earliest, and which events it speaks of (none: all of them)."""

    type: str
    read: Callable[[Event], Value]
    moment: Moment = Moment.REQUEST
    subject: Subject | None = None

    @property
    def doc(self) -> str:
        """Its line in the manual."""
        return (self.read.__doc__ or "").partition("\n")[0]


def _plain(key: str, doc: str) -> Callable[[Event], Value]:
    def read(event: Event) -> Value:
        value = event.document.get(key)
        return "" if value is None else value

    read.__doc__ = doc
    return read


def call_code(event: Event) -> int:
    """HTTP status of the answer."""
    code = event.document.get("code")
    if code is None:
        raise UnknownError
    return int(code)


def call_write(event: Event) -> bool:
    """Does it create or change something (create, update, patch)?"""
    return event.document["verb"] in WRITES


def call_command(event: Event) -> str:
    """Command of an exec, its arguments joined by spaces."""
    return " ".join(_query(event).get("command", []))


def call_query(event: Event) -> list[str]:
    """Query of the URL as a list of key=value, masked."""
    return [f"{key}={value}" for key, values in _query(event).items() for value in values]


def call_path(event: Event) -> str:
    """Path of the URL, without query."""
    return urlsplit(event.document["requestURI"]).path


def call_anonymous(event: Event) -> bool:
    """Was no credential sent? A client certificate is not on the wire and looks the same."""
    names = {str(name).lower() for name, _ in event.document["requestHeaders"]}
    return "authorization" not in names and event.document["user"] in ("", "system:anonymous")


def call_public(event: Event) -> bool:
    """Is it about one of the URLs that anyone may read (/healthz, /livez, /readyz, /version, /.well-known)?"""
    return is_within(call_path(event), PUBLIC)


def call_impersonates(event: Event) -> bool:
    """Does it ask to be somebody else (any Impersonate-* header)?"""
    headers = event.document["requestHeaders"]
    return event.document["impersonated"] is not None or any(str(name).lower().startswith("impersonate-") for name, _ in headers)


def call_body(event: Event) -> Value:
    """Object that was sent, masked: call.body.spec.replicas."""
    return _tree(event, "requestBody") or {}


def call_answer(event: Event) -> Value:
    """Object that was answered, masked; known at the end."""
    return _tree(event, "responseBody") or {}


def call_objects(event: Event) -> int:
    """How many objects the answer has: a list's items, a table's rows, else 1; of a watch, 1 for each event."""
    if event.subject is Subject.CHANNEL:
        return int(event.piece["channel"] == "event")
    code = event.document.get("code") or 0
    if not 200 <= code < 300 or event.document["verb"] == "watch":
        return 0
    return content.object_count(_tree(event, "responseBody"))


def call_message(event: Event) -> str:
    """Message of a Status that was answered."""
    body = _tree(event, "responseBody")
    return str(body.get("message", "")) if isinstance(body, dict) and body.get("kind") == "Status" else ""


def call_grants(event: Event) -> list[str]:
    """Everything a role grants or a binding refers to: verbs, resources, nonResourceURLs, roleRef and subject names."""
    body = _tree(event, "requestBody")
    lists = [item for key in ("verbs", "resources", "nonResourceURLs") for item in content.texts(body, key)]
    return [*lists, *content.inside(body, "roleRef", "name"), *content.inside(body, "subjects", "name")]


def call_data_keys(event: Event) -> list[str]:
    """Names under data, stringData and binaryData of what was sent."""
    return sorted(
        {
            str(name)
            for key, value in content.pairs(_tree(event, "requestBody"))
            if key in ("data", "stringData", "binaryData") and isinstance(value, dict)
            for name in value
        }
    )


def chaperone_namespace(event: Event) -> str:
    """Namespace that Chaperone itself runs in; "" where its collector runs in no cluster."""
    return str(event.session.get("chaperone", ""))


def session_id(event: Event) -> str:
    """Id of the session."""
    return str(event.session.get("id", event.document.get("session", "")))


def session_user(event: Event) -> str:
    """Who asked for the run."""
    return str(event.session.get("user", ""))


def session_command(event: Event) -> str:
    """Command line the session was started with, masked."""
    return " ".join(event.session.get("argv", []))


def process_exe(event: Event) -> str:
    """Program that made the call: its path."""
    return str(event.document["process"]["exe"])


def process_command(event: Event) -> str:
    """Command line of that program, masked."""
    return " ".join(event.document["process"]["argv"])


def process_pid(event: Event) -> int:
    """Its process id."""
    pid = event.document["process"]["pid"]
    if pid is None:
        raise UnknownError
    return int(pid)


def workload_name(event: Event) -> str:
    """What is governed: a run or a container."""
    return str(event.session.get("workload", ""))


def workload_pod(event: Event) -> str:
    """Pod of the workload as namespace/name, as known from the API."""
    return _looked_up(event, "pod")


def workload_service_account(event: Event) -> str:
    """Service account of the workload as namespace:name, as known from the API, never from a token."""
    return _looked_up(event, "serviceAccount")


def workload_namespace(event: Event) -> str:
    """Namespace of the workload's pod, as known from the API."""
    return _looked_up(event, "namespace")


def workload_container(event: Event) -> str:
    """Name of the workload's container, as known from the API."""
    return _looked_up(event, "container")


def workload_owner(event: Event) -> str:
    """Who controls the workload's pod, as Kind/name, as known from the API; "" for nobody."""
    _looked_up(event, "name")
    return str(event.session["lookedUp"].get("owner", ""))


def workload_labels(event: Event) -> list[str]:
    """Labels of the workload's pod as key=value, as known from the API."""
    _looked_up(event, "name")
    return sorted(f"{name}={value}" for name, value in (event.session.get("labels") or {}).items())


def target_privileged(event: Event) -> bool:
    """Is a container of the pod concerned privileged?"""
    return content.has(_pod(event), "privileged")


def target_host_network(event: Event) -> bool:
    """Does the pod share the node's network?"""
    return content.has(_pod(event), "hostNetwork")


def target_host_pid(event: Event) -> bool:
    """Does the pod share the node's process ids?"""
    return content.has(_pod(event), "hostPID")


def target_host_ipc(event: Event) -> bool:
    """Does the pod share the node's IPC?"""
    return content.has(_pod(event), "hostIPC")


def target_host_paths(event: Event) -> list[str]:
    """Paths of the node that the pod mounts."""
    return content.inside(_pod(event), "hostPath", "path")


def target_capabilities(event: Event) -> list[str]:
    """Capabilities that are added to a container."""
    return content.inside(_pod(event), "capabilities", "add")


def target_escalates(event: Event) -> bool:
    """Is allowPrivilegeEscalation said to be true, or procMount to be Unmasked?"""
    pod = _pod(event)
    return content.has(pod, "allowPrivilegeEscalation") or content.has(pod, "procMount", "Unmasked")


def target_images(event: Event) -> list[str]:
    """Images of the pod's containers."""
    return content.texts(_pod(event), "image")


def target_labels(event: Event) -> list[str]:
    """Labels of the pod, or of a workload and its pods, as key=value."""
    return content.labels(_pod(event))


def target_owner(event: Event) -> str:
    """Who controls the pod, as Kind/name (ReplicaSet/web-5d8); "" for nobody."""
    return content.controller(_pod(event))


def target_service_account(event: Event) -> str:
    """Service account that the pod runs as, by name."""
    return ", ".join(content.texts(_pod(event), "serviceAccountName"))


def channel_name(event: Event) -> str:
    """Strand of an upgraded or streaming call: stdin, stdout, stderr, log, event, port/8080/0."""
    return str(event.piece["channel"])


def channel_direction(event: Event) -> str:
    """Way it went: out (from the client) or in."""
    return str(event.piece["direction"])


def channel_size(event: Event) -> int:
    """How many bytes it brought."""
    return int(event.piece["body"]["size"])


def channel_text(event: Event) -> str:
    """What it brought, masked, as text."""
    body = event.piece["body"]
    if body.get("data") is None:
        raise UnknownError
    return str(body["data"]) if body["encoding"] == "utf-8" else ""


def egress_external(event: Event) -> bool:
    """Is it a connection to anything that is not the apiserver? Name look-ups (port 53) are not: every program makes them."""
    return event.subject is Subject.EGRESS and egress_port(event) != NAMES_PORT


def egress_host(event: Event) -> str:
    """Host it goes to, without port: the name that the client gave the server or asked a name server for, else the address."""
    return _split(event.document["authority"])[0]


def egress_address(event: Event) -> str:
    """Address it goes to, whatever its name; "" of an HTTP request."""
    return _split(event.document.get("remote", ""))[0]


def egress_names(event: Event) -> list[str]:
    """Names that a name server was asked for to get that address, the newest first."""
    return [str(name) for name in event.document.get("names") or ()]


def egress_port(event: Event) -> int:
    """Port it goes to; 0 where an HTTP request names none."""
    port = _split(event.document["authority"])[1]
    return int(port) if port.isdigit() else 0


def egress_protocol(event: Event) -> str:
    """tcp, udp, or of an HTTP request its version."""
    return str(event.document.get("protocol", ""))


def tls_unread(event: Event) -> bool:
    """Is it TLS, or QUIC, of a program that no probe reads? Known as soon as its bytes flow."""
    return event.subject is Subject.TLS


def tls_stack(event: Event) -> str:
    """Whose TLS it is: rustls, NSS, OpenSSL, QUIC and so on, or that the stack is unknown."""
    return str(event.document.get("unread", ""))


def tls_host(event: Event) -> str:
    """Host it goes to, as egress.host."""
    return egress_host(event)


def tls_address(event: Event) -> str:
    """Address it goes to, whatever its name."""
    return egress_address(event)


def tls_port(event: Event) -> int:
    """Port it goes to."""
    return egress_port(event)


def tls_apiserver(event: Event) -> bool:
    """Does it go to an apiserver, by its address and names?"""
    if event.document.get("apiserver") is None:
        raise UnknownError
    return bool(event.document["apiserver"])


def secret_sent(event: Event) -> int:
    """How many secret values what was sent had (they are masked in the recording)."""
    return _masked(event, "requestBody", "out")


def secret_left(event: Event) -> bool:
    """Did a secret that was read in the session leave it: in an API request, a channel or, where scanned, another connection?"""
    return event.subject is Subject.SECRET


def secret_read(event: Event) -> int:
    """How many secret values came back; known at the end."""
    return _masked(event, "responseBody", "in")


_C, _CH, _E, _S, _T = Subject.CALL, Subject.CHANNEL, Subject.EGRESS, Subject.SECRET, Subject.TLS
WORDS: dict[str, Word] = {
    "call.verb": Word("string", _plain("verb", "Verb as the apiserver reads it: get, list, watch, create and so on."), subject=_C),
    "call.resource": Word("string", _plain("resource", 'Resource: pods, secrets, …; "" for a URL that names none.'), subject=_C),
    "call.subresource": Word("string", _plain("subresource", "Subresource: exec, log, status and so on."), subject=_C),
    "call.apiGroup": Word("string", _plain("apiGroup", 'API group; "" for the core group.'), subject=_C),
    "call.namespace": Word("string", _plain("namespace", 'Namespace; "" for cluster-wide.'), subject=_C),
    "call.name": Word("string", _plain("name", "Name of the object."), subject=_C),
    "call.method": Word("string", _plain("method", "HTTP method."), subject=_C),
    "call.uri": Word("string", _plain("requestURI", "URL as on the wire, masked."), subject=_C),
    "call.user": Word("string", _plain("user", "User as claimed by the credential."), subject=_C),
    "call.userAgent": Word("string", _plain("userAgent", "User-Agent as sent, masked."), subject=_C),
    "call.code": Word("int", call_code, Moment.RESPONSE, _C),
    "call.write": Word("bool", call_write, subject=_C),
    "call.path": Word("string", call_path, subject=_C),
    "call.query": Word("list(string)", call_query, subject=_C),
    "call.command": Word("string", call_command, subject=_C),
    "call.anonymous": Word("bool", call_anonymous, subject=_C),
    "call.public": Word("bool", call_public, subject=_C),
    "call.impersonates": Word("bool", call_impersonates, subject=_C),
    "call.grants": Word("list(string)", call_grants, subject=_C),
    "call.dataKeys": Word("list(string)", call_data_keys, subject=_C),
    "call.body": Word("dyn", call_body, subject=_C),
    "call.answer": Word("dyn", call_answer, Moment.END, _C),
    "call.objects": Word("int", call_objects, Moment.END, _C),
    "call.message": Word("string", call_message, Moment.END, _C),
    "chaperone.namespace": Word("string", chaperone_namespace),
    "session.id": Word("string", session_id),
    "session.user": Word("string", session_user),
    "session.command": Word("string", session_command),
    "process.exe": Word("string", process_exe),
    "process.command": Word("string", process_command),
    "process.pid": Word("int", process_pid),
    "workload.name": Word("string", workload_name),
    "workload.pod": Word("string", workload_pod),
    "workload.serviceAccount": Word("string", workload_service_account),
    "workload.namespace": Word("string", workload_namespace),
    "workload.container": Word("string", workload_container),
    "workload.owner": Word("string", workload_owner),
    "workload.labels": Word("list(string)", workload_labels),
    "target.privileged": Word("bool", target_privileged, subject=_C),
    "target.hostNetwork": Word("bool", target_host_network, subject=_C),
    "target.hostPID": Word("bool", target_host_pid, subject=_C),
    "target.hostIPC": Word("bool", target_host_ipc, subject=_C),
    "target.hostPaths": Word("list(string)", target_host_paths, subject=_C),
    "target.capabilities": Word("list(string)", target_capabilities, subject=_C),
    "target.escalates": Word("bool", target_escalates, subject=_C),
    "target.images": Word("list(string)", target_images, subject=_C),
    "target.labels": Word("list(string)", target_labels, subject=_C),
    "target.owner": Word("string", target_owner, subject=_C),
    "target.serviceAccount": Word("string", target_service_account, subject=_C),
    "channel.name": Word("string", channel_name, Moment.CHANNEL, _CH),
    "channel.direction": Word("string", channel_direction, Moment.CHANNEL, _CH),
    "channel.size": Word("int", channel_size, Moment.CHANNEL, _CH),
    "channel.text": Word("string", channel_text, Moment.CHANNEL, _CH),
    "egress.external": Word("bool", egress_external, subject=_E),
    "egress.host": Word("string", egress_host, subject=_E),
    "egress.address": Word("string", egress_address, subject=_E),
    "egress.names": Word("list(string)", egress_names, subject=_E),
    "egress.port": Word("int", egress_port, subject=_E),
    "egress.protocol": Word("string", egress_protocol, subject=_E),
    "egress.path": Word("string", _plain("path", "Path asked for there, without query."), subject=_E),
    "egress.method": Word("string", _plain("method", "HTTP method used there."), subject=_E),
    "tls.unread": Word("bool", tls_unread, subject=_T),
    "tls.stack": Word("string", tls_stack, subject=_T),
    "tls.host": Word("string", tls_host, subject=_T),
    "tls.address": Word("string", tls_address, subject=_T),
    "tls.port": Word("int", tls_port, subject=_T),
    "tls.apiserver": Word("bool", tls_apiserver, subject=_T),
    "secret.sent": Word("int", secret_sent, subject=_C),
    "secret.read": Word("int", secret_read, Moment.END, _C),
    "secret.left": Word("bool", secret_left, subject=_S),
    "secret.name": Word("string", _plain("secret", "Which secret left: namespace/name:key."), subject=_S),
    "secret.host": Word("string", _plain("host", "Where it left to: host and port."), subject=_S),
    "secret.place": Word("string", _plain("place", "In what it left: url, body, header …, stdin, port/80/0, connection."), subject=_S),
}


def read(name: str, event: Event) -> Value:
    """A word's value. UnknownError when the fact is not known."""
    word = WORDS[name]
    spoken_of = {Subject.CALL, Subject.CHANNEL} if word.subject is Subject.CALL else {word.subject}
    if word.subject is not None and event.subject not in spoken_of:
        return EMPTY[word.type]
    return word.read(event)


def first_moment(names: Iterable[str]) -> Moment:
    """The earliest moment at which all of these words are known."""
    return max((WORDS[name].moment for name in names), default=Moment.REQUEST)


def is_within(path: str, places: Iterable[str]) -> bool:
    """Whether a URL's path is one of these or below it."""
    return any(path == place or path.startswith(place + "/") for place in places)


def _split(authority: str) -> tuple[str, str]:
    host, colon, port = authority.rpartition(":")
    return (host.strip("[]"), port) if colon and port.isdigit() else (authority.strip("[]"), "")


def _query(event: Event) -> dict[str, list[str]]:
    try:
        return parse_qs(urlsplit(event.document["requestURI"]).query, keep_blank_values=True, max_num_fields=PAIRS)
    except ValueError:
        raise UnknownError from None


def _tree(event: Event, key: str) -> Value:
    body = event.document[key]
    try:
        is_whole = body is not None and body["complete"] and body["encoding"] == "utf-8"
        return None if body is None else _parsed(body.get("data"), bool(body["size"]), is_whole, str(body.get("form", "")))
    except content.UnreadError:
        raise UnknownError from None


@lru_cache(16)
def _parsed(data: str | None, sent: bool, whole: bool, form: str) -> Value:
    """One call is asked for its body by many rules and moments."""
    return content.parsed({"data": data, "size": int(sent), "complete": whole, "encoding": "utf-8", "form": form})


def asks_for_pod(event: Event) -> bool:
    """Whether `target` words speak of a pod that must be looked up, not of what is sent."""
    about = event.document
    is_of_pod = event.subject in (Subject.CALL, Subject.CHANNEL) and about["resource"] == "pods" and bool(about["name"])
    return is_of_pod and not _is_sent(about)


def _is_sent(document: Document) -> bool:
    return document["verb"] in WRITES and document["subresource"] in ("", "ephemeralcontainers")


def _pod(event: Event) -> Value:
    """What was sent about a pod or a workload with pods. What an existing pod is like must be looked up."""
    document = event.document
    if document["resource"] not in content.POD_TEMPLATES:
        return None
    if _is_sent(document):
        return _tree(event, "requestBody")
    if "target" in event.lookup:
        return event.lookup["target"]
    raise UnknownError


def _looked_up(event: Event, key: str) -> str:
    found = (event.session.get("lookedUp") or {}).get(key)
    if not found:
        raise UnknownError
    return str(found)


def _masked(event: Event, key: str, direction: str) -> int:
    if event.subject is Subject.CHANNEL:
        return int(event.piece["body"]["masked"]) if event.piece["direction"] == direction else 0
    body = event.document[key]
    return int(body["masked"]) if body else 0
