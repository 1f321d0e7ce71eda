"""A secret seen in one call of a session is masked wherever it appears in later ones, whichever stream, channel or record has it."""

import base64
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import cbor2
import pytest
from support.conversations import Conversation
from support.deaths import lived
from support.masking import PROTOBUF, enveloped, field, leaves, make_body, make_call, make_event, make_piece, on, survivors

from chaperone.collector.kube.call import Call
from chaperone.collector.mask.known import Known
from chaperone.collector.mask.masker import Masker
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Note, ProcessSeen, StreamOpened

KEY = b"k" * 32
SECRET = 'Zq7xWv3pLm9k/T+b2&r"Q'
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def b64(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode()


def manifest(secret: str) -> dict[str, object]:
    return {"kind": "Secret", "metadata": {"name": "db", "namespace": "ns"}, "data": {"p": b64(secret)}}


def applied(document: object) -> dict[str, object]:
    return {"annotations": {APPLIED: json.dumps(document)}}


def answered(data: bytes | object, media_type: str = "application/json", resource: str = "secrets") -> Call:
    return make_call(info=on(resource), response_body=make_body(data, media_type))


TEACHERS: dict[str, Callable[[str], Call]] = {
    "JSON": lambda s: answered(manifest(s)),
    "with a line end": lambda s: answered(manifest(s + "\n")),
    "YAML": lambda s: answered(json.dumps(manifest(s)).encode(), "application/yaml"),
    "CBOR": lambda s: answered(b"\xd9\xd9\xf7" + cbor2.dumps({"kind": "Secret", "data": {"p": s.encode()}}), "application/cbor"),
    "protobuf": lambda s: answered(enveloped("Secret", field(1, field(1, "db")) + field(2, field(1, "p") + field(2, s))), PROTOBUF),
    "list": lambda s: answered({"kind": "SecretList", "items": [{"data": {"p": b64(s)}}]}),
    "List of anything": lambda s: answered({"kind": "List", "items": [{"kind": "Pod"}, manifest(s)]}, resource="pods"),
    "watch": lambda s: make_call(info=on("secrets"), pieces=(make_event({"type": "ADDED", "object": manifest(s)}),)),
    "stringData": lambda s: make_call(info=on("secrets"), request_body=make_body({"kind": "Secret", "stringData": {"p": s}})),
    "patch": lambda s: make_call(info=on("secrets"), request_body=make_body({"data": {"p": b64(s)}}, "application/merge-patch+json")),
    "JSON patch": lambda s: make_call(
        info=on("secrets"),
        request_body=make_body([{"op": "add", "path": "/data/p", "value": b64(s)}], "application/json-patch+json"),
    ),
    "last applied": lambda s: answered({"kind": "Table", "rows": [{"object": {"metadata": applied(manifest(s))}}]}),
    "token": lambda s: make_call(
        info=on("serviceaccounts", "token"), response_body=make_body({"kind": "TokenRequest", "status": {"token": s}})
    ),
    "a file": lambda s: answered(manifest(f"host: db\nuser: web\nopaque: {s}\n")),
}  # fmt: skip


def pieces(channel: str, *texts: bytes) -> Call:
    return make_call(pieces=tuple(make_piece(text, channel, n * 1000) for n, text in enumerate(texts)))


def sent(document: object, media_type: str = "application/json") -> Call:
    return make_call(info=on("pods"), request_body=make_body(document, media_type))


PLACES: dict[str, Callable[[str], Call]] = {
    "env": lambda s: sent({"spec": {"containers": [{"env": [{"name": "COLOUR", "value": s}]}]}}),
    "argument": lambda s: sent({"spec": {"containers": [{"args": ["run", f"--colour={s}"]}]}}),
    "config map": lambda s: sent({"data": {"colour": f"of {s}, and more"}}),
    "config map in base64": lambda s: sent({"data": {"colour": b64("x" + s + "yy")}}),
    "binary data": lambda s: sent({"binaryData": {"colour": b64("\0\1" + s)}}),
    "key": lambda s: sent({"data": {s: "red"}}),
    "annotation in the same Secret": lambda s: answered({"metadata": {"annotations": {"colour": s}}} | manifest(s)),
    "YAML": lambda s: sent(f"colour: '{s}'\n".encode(), "application/apply-patch+yaml"),
    "protobuf": lambda s: make_call(
        info=on("configmaps"), request_body=make_body(enveloped("ConfigMap", field(2, field(1, "colour") + field(2, s))), PROTOBUF)
    ),
    "list item": lambda s: sent({"kind": "PodList", "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": s}}]}),
    "URL": lambda s: make_call(request_uri=f"/api/v1/pods?labelSelector=colour%3D{quote(s, safe='')}"),
    "URL in base64": lambda s: make_call(request_uri=f"/api/v1/pods?x={quote(b64('a' + s))}"),
    "header": lambda s: make_call(request_headers=(("x-odd", f"colour {s}"),)),
    "stdout": lambda s: pieces("stdout", f"it is {s} there\n".encode()),
    "stdin cut in three": lambda s: pieces("stdin", f"echo {s[:4]}".encode(), s[4:9].encode(), f"{s[9:]}\n".encode()),
    "stdout in base64 byte by byte": lambda s: pieces("stdout", *(bytes([c]) for c in f"{b64('ab' + s)}\n".encode())),
    "log in hex": lambda s: pieces("log", s.encode().hex().encode() + b"\n"),
    "a long line": lambda s: pieces("stdout", b"red " * 6000 + s[:7].encode(), s[7:].encode() + b" red" * 6000),
    "port-forward": lambda s: pieces("port/80/0", f"GET /{quote(s, safe='')} HTTP/1.1\r\n\r\n".encode()),
    "user agent": lambda s: make_call(user_agent=f"agent/{s}"),
}  # fmt: skip


def gates(count: int = 2) -> Iterator[Masker]:
    known = Known()
    for number in range(count):
        gate = Masker(KEY)
        gate.share(known, StreamId(str(number)))
        yield gate


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_read_on_one_stream_is_masked_on_another(place: str) -> None:
    one, other = gates()
    if "same Secret" not in place:
        assert survivors(other.call(PLACES[place](SECRET)), SECRET.encode()) != [], "a place that is masked anyhow shows nothing"
        one, other = gates()
    one.call(TEACHERS["JSON"](SECRET))
    masked = other.call(PLACES[place](SECRET))
    assert survivors(masked, SECRET.encode()) == []
    assert any(b"~masked-" in leaf for leaf in leaves(masked))


@pytest.mark.parametrize("teacher", TEACHERS)
def test_every_way_to_bring_a_secret_teaches(teacher: str) -> None:
    secret = SECRET.replace('"', "")
    one, other = gates()
    assert survivors(one.call(TEACHERS[teacher](secret)), secret.encode()) == []
    assert survivors(other.call(PLACES["stdout"](secret)), secret.encode()) == []


def test_equal_secrets_look_equal_in_every_form() -> None:
    one, other = gates()
    body = one.call(TEACHERS["JSON"](SECRET)).response_body
    assert body is not None
    stand_in = json.loads(body.data)["data"]["p"].encode()
    for place, made in PLACES.items():
        if place not in ("annotation in the same Secret", "binary data"):  # the latter is masked as a whole
            assert any(stand_in in leaf for leaf in leaves(other.call(made(SECRET)))), place


def test_terminal_escapes_hide_nothing() -> None:
    one, other = gates()
    one.call(TEACHERS["JSON"](SECRET))
    masked = other.call(pieces("stdout", f"\x1b[1m{SECRET[:9]}\x1b[0m{SECRET[9:]}\n".encode()))
    assert not any(part.encode() in leaf for leaf in leaves(masked) for part in (SECRET[:9], SECRET[9:]))


def test_a_header_that_was_harmless_is_looked_at_again() -> None:
    one, other = gates()
    assert other.call(PLACES["header"](SECRET)).request_headers[0][1] == f"colour {SECRET}"
    one.call(TEACHERS["JSON"](SECRET))
    assert survivors(other.call(PLACES["header"](SECRET)), SECRET.encode()) == []


def test_another_session_knows_nothing_of_it() -> None:
    one, _ = gates()
    one.call(TEACHERS["JSON"](SECRET))
    other, _ = gates()
    assert survivors(other.call(PLACES["env"](SECRET)), SECRET.encode()) != []


@pytest.mark.parametrize("deaths", [(), (1,), (1, 2, 3, 4)])
def test_what_a_session_knows_survives_its_collector(deaths: tuple[int, ...]) -> None:
    one = Conversation()
    begun = one.begun()
    read = one.exchange("/api/v1/namespaces/ns/secrets/db", manifest(SECRET))
    other = Conversation("two")
    other.session, other.process = one.session, one.process
    opened = StreamOpened(other.stream, one.process, one.session, other.tick(), "go", 7)
    asked = other.chunk(Direction.OUT, f"GET /api/v1/pods?x={quote(SECRET, safe='')} HTTP/1.1\r\nHost: api.test\r\n\r\n".encode())
    seen = ProcessSeen(one.process, one.session, one.tick(), 4242, "/bin/echo", ("echo", SECRET))
    table = lived([[*begun, *read], [opened, asked], [seen], [Note(one.session, one.tick(), "agent", f"a note of {SECRET}")]], deaths)
    assert survivors(list(table.values()), SECRET.encode()) == []
    assert str(table).count("~masked-21-") >= 4


def test_without_the_secret_read_before_these_places_show_it() -> None:
    one = Conversation()
    seen = ProcessSeen(one.process, one.session, one.tick(), 4242, "/bin/echo", ("echo", SECRET))
    assert survivors(list(lived([[*one.begun(), seen]]).values()), SECRET.encode()) != []
