"""The object in a body's document, whatever form it was sent in."""

import base64

from support.documents import SECRET, body

from chaperone.collector.cli.show.value import object_of

ENVELOPE = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x0b\x12\x07Failure\x1a\x00"


def test_json_is_read() -> None:
    assert object_of(body(SECRET)) == SECRET


def test_yaml_is_read_with_times_as_text() -> None:
    text = "kind: Secret\nmetadata:\n  creationTimestamp: 2026-01-02T03:04:05Z\n"
    assert object_of(body(text, form="yaml")) == {"kind": "Secret", "metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}}


def test_json_labelled_yaml_is_read() -> None:
    assert object_of(body('{"kind":"Secret"}', form="yaml")) == {"kind": "Secret"}


def test_protobuf_as_sent_is_read() -> None:
    for sent in (body(ENVELOPE.decode(), form="protobuf"), body(base64.b64encode(ENVELOPE).decode(), form="protobuf", encoding="base64")):
        assert object_of(sent)["kind"] == "Status"


def test_cbor_as_sent_is_read() -> None:
    sent = base64.b64encode(b"\xd9\xd9\xf7\xa1\x44kind\x46Secret").decode()
    assert object_of(body(sent, form="cbor", encoding="base64")) == {"kind": "Secret"}
    assert object_of(body("/w==", form="cbor", encoding="base64")) is None


def test_what_cannot_be_read_is_nothing() -> None:
    broken = ["{", "k8s\0\xff\xff", "[" * 100_000]
    assert [object_of(body(text)) for text in broken] == [None] * 3
    assert object_of(body("a: [", form="yaml")) is None
    assert object_of(body("a: &a [x]\nb: [*a, *a]\n", form="yaml")) is None
    assert object_of(body("AAEC", encoding="base64")) is None
    assert object_of(None) is None
