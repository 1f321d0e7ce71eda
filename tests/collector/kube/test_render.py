import json

from hypothesis import given
from hypothesis import strategies as st
from support.protobufs import envelope, field, metadata, secret, varint_field, watch_event

from chaperone.collector.kube import protobuf
from chaperone.collector.kube.protobuf import Message
from chaperone.collector.kube.render import DEPTH_LIMIT, object_view, view


def shown(enveloped: bytes) -> dict[str, object]:
    unknown = protobuf.envelope(enveloped)
    assert unknown is not None
    return object_view(*protobuf.unwrap(unknown))


def test_a_secret_looks_as_in_json() -> None:
    assert shown(secret("db", {"password": b"s3cr\xff"})) == {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "db", "namespace": "default", "uid": "", "resourceVersion": ""},
        "data": {"password": "czNjcv8="},
        "type": "Opaque",
    }


def test_lists_times_maps_and_managed_fields() -> None:
    stamp = varint_field(1, 1_700_000_000)
    managed = field(17, field(1, "kubectl") + field(4, stamp) + field(7, field(1, '{"f:data":{}}')))
    meta = field(1, field(1, "a") + field(8, stamp) + field(11, field(1, "app") + field(2, "web")) + managed)
    found = shown(envelope("v1", "ConfigMapList", field(1, field(2, "7")) + field(2, meta) + field(2, meta)))
    items = found["items"]
    assert isinstance(items, list)
    assert len(items) == 2
    assert items[0]["metadata"] == {
        "name": "a",
        "creationTimestamp": "2023-11-14T22:13:20Z",
        "labels": {"app": "web"},
        "managedFields": [{"manager": "kubectl", "time": "2023-11-14T22:13:20Z", "fieldsV1": {"f:data": {}}}],
    }


def test_a_watch_event_shows_the_object_inside_its_envelope() -> None:
    event = Message(watch_event("ADDED", secret("db", {}))[4:], "WatchEvent")
    found = view(event)
    assert found["type"] == "ADDED"
    assert found["object"]["kind"] == "Secret"


def test_a_container_environment_is_named() -> None:
    container = field(1, "c") + field(2, "img") + field(7, field(1, "PASSWORD") + field(2, "hunter2"))
    pod = envelope("v1", "Pod", metadata("p") + field(2, field(2, container) + varint_field(11, 1)))
    spec = shown(pod)["spec"]
    assert spec == {"containers": [{"name": "c", "image": "img", "env": [{"name": "PASSWORD", "value": "hunter2"}]}], "hostNetwork": True}


def test_unknown_fields_are_numbers_with_lists() -> None:
    data = field(90, "text") + field(91, field(1, "in\x00ner")) + field(92, b"\xff\xfe") + varint_field(93, -5)
    assert view(Message(data)) == {"90": ["text"], "91": [{"1": ["aW4AbmVy"]}], "92": ["//4="], "93": [-5]}


def test_deep_nesting_is_cut_at_the_limit() -> None:
    data = b"\xff\x00"
    for _ in range(500):
        data = field(1, data)
    text = json.dumps(view(Message(data)))
    assert text.count("{") <= DEPTH_LIMIT + 1


@given(st.binary(max_size=60), st.sampled_from(["Pod", "Secret", "Event", "WatchEvent", "ObjectMeta", "PodList", ""]))
def test_any_bytes_have_a_view(data: bytes, kind: str) -> None:
    json.dumps(view(Message(data, kind)))
