"""Writes protobuf by hand, for tests: `field(1, b"…")`, `varint_field(6, 404)`, `envelope("v1", "Secret", …)`."""


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def metadata(name: str, namespace: str = "", uid: str = "", resource_version: str = "") -> bytes:
    return field(1, field(1, name) + field(3, namespace) + field(5, uid) + field(6, resource_version))


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version) + field(2, kind)) + field(2, message) + field(3, "") + field(4, "")


def secret(name: str, data: dict[str, bytes]) -> bytes:
    entries = b"".join(field(2, field(1, key) + field(2, value)) for key, value in data.items())
    return envelope("v1", "Secret", metadata(name, "default") + entries + field(3, "Opaque"))


def status(code: int, reason: str, message: str) -> bytes:
    return envelope("v1", "Status", field(2, "Failure") + field(3, message) + field(4, reason) + varint_field(6, code))


def watch_event(kind: str, enveloped: bytes) -> bytes:
    event = field(1, kind) + field(2, field(1, enveloped))
    return len(event).to_bytes(4, "big") + event
