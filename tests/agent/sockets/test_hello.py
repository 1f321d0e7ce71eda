"""Hellos made by OpenSSL itself, cut anywhere, and arbitrary bytes."""

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tls_server import make_certificate

from chaperone.agent.sockets.hello import Agreed, agreed, server_name


@cache
def hellos(name: str | None, version: ssl.TLSVersion) -> tuple[bytes, bytes]:
    """What a client and a server say first."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = version
    with TemporaryDirectory() as directory:
        server.load_cert_chain(*make_certificate(Path(directory)))
    out, into, reply = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(into, out, server_hostname=name).do_handshake()
    said = out.read()
    out.write(said)
    with pytest.raises(ssl.SSLWantReadError):
        server.wrap_bio(out, reply, server_side=True).do_handshake()
    return said, reply.read()


def test_the_name_asked_for() -> None:
    assert server_name(hellos("kubernetes.default.svc", ssl.TLSVersion.TLSv1_3)[0]) == "kubernetes.default.svc"
    assert server_name(hellos(None, ssl.TLSVersion.TLSv1_3)[0]) == ""


def test_what_the_server_chose() -> None:
    assert agreed(hellos("a.test", ssl.TLSVersion.TLSv1_3)[1]) == Agreed(0x0304, 0x1302)
    assert agreed(hellos("a.test", ssl.TLSVersion.TLSv1_2)[1]).version == 0x0303


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_cut_hello_gives_the_same_or_nothing(version: ssl.TLSVersion) -> None:
    client, server = hellos("kubernetes.default.svc", version)
    for end in range(len(client)):
        assert server_name(client[:end]) in ("", *("kubernetes.default.svc"[:size] for size in range(23)))
    for end in range(len(server)):
        agreed(server[:end])


def test_a_name_that_would_harm_a_terminal_is_no_name() -> None:
    said = hellos("kubernetes.default.svc", ssl.TLSVersion.TLSv1_3)[0]
    assert server_name(said.replace(b"kubernetes", b"kuber\x1b[2J")) == ""


@settings(max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_never_raise(tail: bytes, is_client: bool) -> None:
    data = bytes([22, 3, 1, 0, 0, 1 if is_client else 2]) + tail
    assert isinstance(server_name(data), str)
    assert isinstance(agreed(data), Agreed)
