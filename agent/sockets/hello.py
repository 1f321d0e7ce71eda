"""What the two hellos of a TLS handshake say in the clear (RFC 8446 §4.1, RFC 6066 §3): the name asked for, version and cipher.

Reads at most what the kernel kept of the first packet; whatever is cut or odd gives an empty answer, never an exception.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

HANDSHAKE, CLIENT_HELLO, SERVER_HELLO = 22, 1, 2
SERVER_NAME, SUPPORTED_VERSIONS = 0, 43
NAME_LIMIT = 253


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the server chose: version and cipher suite as numbers on the wire; 0, 0 if that could not be read."""

    version: int = 0
    cipher: int = 0


def server_name(data: bytes) -> str:
    """The host name in a ClientHello; "" if there is none that we can read."""
    try:
        for kind, value in _extensions(data, CLIENT_HELLO):
            if kind == SERVER_NAME:
                (size,) = struct.unpack_from(">H", value, 3)
                return _host(value[5 : 5 + size])
    except (struct.error, IndexError):
        pass
    return ""


def agreed(data: bytes) -> Agreed:
    """Version and cipher of a ServerHello."""
    try:
        version, cipher = struct.unpack_from(">H", data, 9)[0], _cipher(data)
        for kind, value in _extensions(data, SERVER_HELLO):
            if kind == SUPPORTED_VERSIONS:
                (version,) = struct.unpack_from(">H", value)
    except (struct.error, IndexError):
        return Agreed()
    return Agreed(version, cipher)


def _host(raw: bytes) -> str:
    """Only what a host name may hold: it is printed."""
    text = raw.decode("ascii", errors="replace")
    is_plain = all(letter.isalnum() or letter in "-._" for letter in text)
    return text if is_plain and text.isascii() and 0 < len(text) <= NAME_LIMIT else ""


def _cipher(data: bytes) -> int:
    (cipher,) = struct.unpack_from(">H", data, 44 + data[43])
    return int(cipher)


def _extensions(data: bytes, kind: int) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each extension. Record head 5, message head 4, version 2, random 32, session id from 43."""
    if data[0] != HANDSHAKE or data[5] != kind:
        return
    at = 44 + data[43]
    if kind == SERVER_HELLO:
        at += 3
    else:
        (ciphers,) = struct.unpack_from(">H", data, at)
        at += 2 + ciphers
        at += 1 + data[at]
    at += 2
    while at + 4 <= len(data):
        number, size = struct.unpack_from(">HH", data, at)
        yield number, data[at + 4 : at + 4 + size]
        at += 4 + size
