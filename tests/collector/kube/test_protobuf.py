import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import protobufs

from chaperone.collector.kube.protobuf import Message, Wire, envelope, unwrap

SECRET = protobufs.secret("db", {"password": b"s3cr\xff", "user": b"me"})


def secret() -> Message:
    unknown = envelope(SECRET)
    assert unknown is not None
    return unwrap(unknown)[2]


def test_an_envelope_says_what_it_holds() -> None:
    unknown = envelope(SECRET)
    assert unknown is not None
    api_version, kind, message = unwrap(unknown)
    assert (api_version, kind, message.type) == ("v1", "Secret", "Secret")
    assert envelope(b"{}") is None
    assert envelope(b"k8s") is None


def test_fields_are_found_by_path_and_named_by_the_schema() -> None:
    message = secret()
    assert message.text(1, 1) == "db"
    assert message.text(1, 3) == "default"
    assert message.text(7, 7) == ""
    assert [field.name for field in message.fields] == ["metadata", "data", "data", "type"]
    assert [(key, value.bytes if value else b"") for key, value in message.entries(2)] == [("password", b"s3cr\xff"), ("user", b"me")]
    assert len(message.all(2)) == 2
    metadata = message.at(1)
    assert metadata is not None
    assert metadata.type == "ObjectMeta"


def test_the_last_of_a_repeated_field_counts() -> None:
    assert Message(protobufs.field(1, "a") + protobufs.field(1, "b")).text(1) == "b"


def test_every_wire_type_is_read() -> None:
    message = Message(protobufs.varint_field(1, 300) + b"\x11" + b"\x01" * 8 + b"\x1d" + b"\x02" * 4 + protobufs.field(4, "x"))
    assert [(field.number, field.wire) for field in message.fields] == [
        (1, Wire.VARINT),
        (2, Wire.FIXED64),
        (3, Wire.FIXED32),
        (4, Wire.BYTES),
    ]
    assert message.fields[0].value == 300
    assert (message.fields[0].text, message.fields[0].bytes) == ("", b"")
    assert message.broken == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\xff\xff\xff\xff\x07x", "2147483647 bytes"),
        (b"\x0a\x05abc", "5 bytes"),
        (b"\x08" + b"\xff" * 11, "varint"),
        (b"\x08\x80", "varint"),
        (b"\x0b", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x00\x01", "field number 0"),
        (b"\x09\x01", "8 bytes"),
    ],
)
def test_broken_bytes_keep_the_fields_before_them_and_say_why(data: bytes, reason: str) -> None:
    message = Message(protobufs.field(2, "ok") + data)
    assert message.text(2) == "ok"
    assert reason in message.broken


def test_nothing_of_the_contents_is_in_the_repr() -> None:
    assert "s3cr" not in repr(secret())


def test_deep_nesting_costs_nothing_until_it_is_asked_for() -> None:
    data = b""
    for _ in range(20_000):
        data = protobufs.field(1, data)
    started = time.thread_time()
    assert Message(data).at(1, 1, 1) is not None
    assert time.thread_time() - started < 0.1


@given(st.binary(max_size=60))
def test_any_bytes_have_fields(data: bytes) -> None:
    message = Message(data, "Pod")
    for field in message.fields:
        assert field.message.fields is not None
        assert field.text is not None
    message.entries(2)
    assert message.at(1, 1) is None or message.fields


@given(st.lists(st.tuples(st.integers(1, 2000), st.binary(max_size=20)), max_size=8))
def test_what_was_written_is_read(fields: list[tuple[int, bytes]]) -> None:
    message = Message(b"".join(protobufs.field(number, value) for number, value in fields))
    assert [(field.number, field.bytes) for field in message.fields] == fields
    assert message.broken == ""
