import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import protobufs
from support.masking import make_call

from chaperone.collector.kube import body as bodies
from chaperone.collector.kube.body import Budget, Gatherer, Kind, form_of, read_body, read_event, read_whole
from chaperone.collector.kube.call import Body, Form
from chaperone.collector.kube.forms.many import Many
from chaperone.collector.kube.protobuf import Message

MIB = 1024 * 1024
PROTOBUF = "application/vnd.kubernetes.protobuf"


def gathered(media_type: str, data: bytes, encoding: str = "", kind: Kind | None = None) -> Body:
    gatherer = Gatherer(media_type, encoding, Budget())
    for at in range(0, len(data), 7):
        gatherer.add(memoryview(data)[at : at + 7])
    return gatherer.finish(True, kind or Kind())


@pytest.mark.parametrize(
    ("media_type", "form"),
    [
        ("application/json", Form.JSON),
        ("Application/JSON; charset=utf-8", Form.JSON),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", Form.JSON),
        ("application/strategic-merge-patch+json", Form.JSON),
        ("application/merge-patch+json", Form.JSON),
        ("application/json-patch+json", Form.JSON),
        ("application/apply-patch+yaml", Form.YAML),
        ("application/apply-patch+cbor", Form.CBOR),
        ("application/yaml", Form.YAML),
        (PROTOBUF, Form.PROTOBUF),
        (PROTOBUF + ";stream=watch", Form.PROTOBUF),
        ("application/cbor", Form.CBOR),
        ("application/cbor-seq", Form.CBOR),
        ("text/plain; charset=utf-8", Form.TEXT),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", Form.BINARY),
    ],
)
def test_known_media_types(media_type: str, form: Form) -> None:
    assert form_of(media_type) == (form, "")


@pytest.mark.parametrize("media_type", ["", "application/x-www-form-urlencoded", "json", "application/json+x"])
def test_unknown_media_types_are_ambiguous(media_type: str) -> None:
    assert form_of(media_type) == (Form.BINARY, bodies.UNKNOWN_TYPE)
    body = gathered(media_type, b'{"kind":"Secret"}')
    assert (body.form, body.data, body.size, body.ambiguous) == (Form.BINARY, b"", 17, (bodies.UNKNOWN_TYPE,))


def test_a_backend_behind_a_proxy_may_answer_in_any_type() -> None:
    gatherer = Gatherer("application/wasm", "", Budget(), foreign=True)
    gatherer.add(b"\x00asm")
    assert gatherer.finish(True, Kind()).ambiguous == ()


@pytest.mark.parametrize(
    ("media_type", "data", "kind"),
    [
        ("application/json", b'{"kind":"Secret","apiVersion":"v1","data":{}}\n', "Secret"),
        ("application/yaml", b"kind: Secret\napiVersion: v1\n", "Secret"),
        ("application/apply-patch+yaml", b'{"kind":"Secret","apiVersion":"v1"}', "Secret"),
        (PROTOBUF, protobufs.secret("db", {"a": b"b"}), "Secret"),
        ("application/cbor", b"\xd9\xd9\xf7\xa2\x44kind\x46Secret\x4aapiVersion\x42v1", "Secret"),
        ("application/json", b'{"kind":"Table","apiVersion":"v1","rows":[]}', "Table"),
        ("application/json", b'{"kind":"PartialObjectMetadataList","apiVersion":"v1"}', "PartialObjectMetadataList"),
    ],
)
def test_every_form_says_its_kind(media_type: str, data: bytes, kind: str) -> None:
    body = gathered(media_type, data)
    assert (body.kind, body.api_version, body.data, body.ambiguous, body.complete) == (kind, "v1", data, (), True)
    assert body.object is not None


def test_a_patch_has_the_kind_that_the_url_says() -> None:
    url = Kind("Secret", "v1")
    assert gathered("application/merge-patch+json", b'{"data":{"a":"b"}}', kind=url).kind == "Secret"
    operations = gathered("application/json-patch+json", b'[{"op":"add","path":"/data/a","value":"b"}]', kind=url)
    assert (operations.kind, operations.object[0]["op"]) == ("Secret", "add")


def test_json_labelled_as_text_is_json_and_text_is_text() -> None:
    assert gathered("text/plain; charset=utf-8", b'{"paths":{}}').form is Form.JSON
    assert gathered("text/plain", b"404 page not found").object is None
    assert gathered("text/plain", b"{not json").form is Form.TEXT
    assert gathered("text/plain", b"{not json").ambiguous == ()


@pytest.mark.parametrize(
    ("media_type", "data", "reason"),
    [
        ("application/json", b"{bad", "not JSON"),
        ("application/json", b"{} {}", "bytes behind the JSON value"),
        ("application/json", b"[" * 2000, "JSON nested deeper than 254"),
        ("application/json", b'{"a":NaN}', "not JSON"),
        (PROTOBUF, b'{"kind":"Pod"}', "not in Kubernetes' protobuf envelope"),
        (PROTOBUF, b"k8s\x00\x0a\xff", "not in Kubernetes' protobuf envelope"),
        (
            PROTOBUF,
            protobufs.envelope("v1", "Pod", b"\x0a\xff\xff\xff\xff\x07"),
            "not protobuf: a field of 2147483647 bytes where 0 are left",
        ),
        ("application/cbor", b"\x9a\x7f\xff\xff\xff", "not CBOR, or a length over the limit"),
        ("application/yaml", b"a: [", "not YAML (ParserError)"),
    ],
)
def test_bytes_that_are_not_what_they_say_are_binary_with_the_reason(media_type: str, data: bytes, reason: str) -> None:
    body = gathered(media_type, data)
    assert (body.form, body.object, body.ambiguous, body.data) == (Form.BINARY, None, (reason,), data)


def test_doubts_of_a_readable_body_are_said() -> None:
    assert gathered("application/json", b'{"a":1,"a":2}').ambiguous == ("a JSON key is repeated",)
    twice = protobufs.envelope("v1", "Pod", protobufs.metadata("a") + protobufs.metadata("b"))
    assert gathered(PROTOBUF, twice).ambiguous == ("a protobuf field is repeated",)
    coded = b"k8s\x00" + protobufs.field(2, b"") + protobufs.field(3, "gzip")
    assert gathered(PROTOBUF, coded).form is Form.BINARY


def test_gzip_is_taken_off_also_in_members() -> None:
    data = gzip.compress(b'{"kind":') + gzip.compress(b'"Pod"}')
    body = gathered("application/json", data, "gzip")
    assert (body.kind, body.size, body.wire_size) == ("Pod", 14, len(data))


@pytest.mark.parametrize(("encoding", "data", "reason"), [("br", b"x" * 20, "unknown content coding"), ("gzip", b"x" * 20, "not gzip")])
def test_codings_that_cannot_be_taken_off_are_said(encoding: str, data: bytes, reason: str) -> None:
    body = gathered("application/json", data, encoding)
    assert (body.complete, body.object, body.ambiguous) == (False, None, (reason,))


def test_a_gzip_body_that_ends_early_is_said() -> None:
    assert gathered("application/json", gzip.compress(b"{}" * 100)[:-9], "gzip").ambiguous == ("gzip body ends early",)


def test_a_cut_off_body_is_kept_but_not_read() -> None:
    gatherer = Gatherer("application/json", "", Budget())
    gatherer.add(b'{"a":')
    body = gatherer.finish(False, Kind())
    assert (body.complete, body.data, body.object, body.ambiguous) == (False, b'{"a":', None, ())
    holed = Gatherer("application/json", "", Budget())
    holed.add(b"{")
    holed.lose()
    holed.add(b"}")
    assert not holed.finish(True, Kind()).complete


def test_a_gzip_bomb_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_LIMIT", MIB)
    bomb = gzip.compress(b"\x00" * (64 * MIB))
    tracemalloc.start()
    gatherer = Gatherer("application/json", "gzip", Budget())
    gatherer.add(bomb)
    body = gatherer.finish(True, Kind())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (body.data, body.object, body.complete) == (b"", None, False)
    assert body.ambiguous == (f"more than {MIB} decoded bytes",)
    assert peak < 4 * MIB


def test_all_bodies_of_a_stream_share_one_budget() -> None:
    budget = Budget(left=100)
    first, second = (Gatherer("application/json", "", budget) for _ in range(2))
    first.add(b" " * 60)
    second.add(b" " * 60)
    assert not second.kept
    assert "at once" in second.finish(True, Kind()).ambiguous[0]
    first.finish(True, Kind())
    assert budget.left == 100


def test_a_body_of_unknown_form_needs_no_memory() -> None:
    gatherer = Gatherer("application/octet-stream", "", Budget())
    tracemalloc.start()
    for _ in range(64):
        gatherer.add(bytes(MIB))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert gatherer.finish(True, Kind()).size == 64 * MIB
    assert peak < 2 * MIB


def test_an_event_has_its_objects_kind() -> None:
    json_event = read_event(Form.JSON, "application/json", b'{"type":"ADDED","object":{"kind":"Secret","apiVersion":"v1"}}')
    assert (json_event.kind, json_event.api_version) == ("Secret", "v1")
    protobuf_event = read_event(Form.PROTOBUF, PROTOBUF, protobufs.watch_event("ADDED", protobufs.secret("db", {}))[4:])
    assert protobuf_event.kind == "Secret"
    assert isinstance(protobuf_event.object, Message)
    assert protobuf_event.object.text(1) == "ADDED"
    assert read_event(Form.PROTOBUF, PROTOBUF, b"\x0a\x01A").form is Form.BINARY
    assert read_event(Form.JSON, "application/json", b"{").ambiguous == ("not JSON",)


def test_a_saved_body_goes_on() -> None:
    gatherer = Gatherer("application/json", "", Budget())
    gatherer.add(b'{"kind":')
    saved = gatherer.saved()
    assert saved is not None
    again = Gatherer.restore(saved, Budget())
    again.add(b'"Pod"}')
    assert again.finish(True, Kind()).kind == "Pod"
    assert Gatherer("application/json", "gzip", Budget()).saved() is None


@given(st.sampled_from(["application/json", "application/yaml", "application/cbor", PROTOBUF, "text/plain", "x"]), st.binary(max_size=60))
def test_any_bytes_give_a_body(media_type: str, data: bytes) -> None:
    for prefix in (b"", b"k8s\x00", b"{", b"a: "):
        assert gathered(media_type, prefix + data).size == len(prefix + data)
        read_event(form_of(media_type)[0], media_type, prefix + data) if form_of(media_type)[0] is not Form.BINARY else None


def test_reading_what_has_no_bytes_changes_nothing() -> None:
    empty = Body(Form.JSON, "application/json", 0, 0, True)
    assert read_body(empty) is empty


LARGE_LIST = b'{"kind":"PodList","apiVersion":"v1","items":[' + b",".join([b'{"metadata":{"name":"web"}}'] * 40_000) + b"]}"


def answer(data: bytes, encoding: str = "", complete: bool = True, lost: bool = False) -> Body:
    body = Gatherer("application/json", encoding, Budget())
    for start in range(0, len(data), 16384):
        body.add(memoryview(data)[start : start + 16384])
    if lost:
        body.lose()
    return body.answer(complete)


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_answered_large_list_is_left_as_it_came_until_somebody_reads_it(encoding: str) -> None:
    body = answer(gzip.compress(LARGE_LIST, 1) if encoding else LARGE_LIST, encoding)
    assert isinstance(body.object, Many)
    assert (body.form, body.kind, body.api_version, body.size, body.data) == (Form.JSON, "PodList", "v1", len(LARGE_LIST), b"")
    whole = read_whole(make_call(response_body=body))
    assert whole.response_body is not None
    read = whole.response_body
    assert (read.data, read.kind, len(read.object["items"])) == (LARGE_LIST, "PodList", 40_000)
    assert read_whole(whole) is whole


def test_an_answered_list_needs_no_memory_of_its_own() -> None:
    chunks = [memoryview(LARGE_LIST)[start : start + 16384] for start in range(0, len(LARGE_LIST), 16384)]
    tracemalloc.start()
    body = Gatherer("application/json", "", Budget())
    for chunk in chunks:
        body.add(chunk)
    read = body.answer(complete=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(read.object, Many)
    assert peak < 256 * 1024


def test_an_answer_that_is_no_whole_large_list_is_read_at_once() -> None:
    small = b'{"kind":"PodList","items":[{"a":1}]}'
    assert answer(small).object == {"kind": "PodList", "items": [{"a": 1}]}
    spaced = LARGE_LIST.replace(b'"items":[', b'"items": [')
    assert isinstance(answer(spaced).object, dict)
    assert answer(LARGE_LIST, complete=False).data == answer(LARGE_LIST, lost=True).data == LARGE_LIST
    assert answer(gzip.compress(LARGE_LIST, 1)[:-1], "gzip").ambiguous == ("gzip body ends early",)
