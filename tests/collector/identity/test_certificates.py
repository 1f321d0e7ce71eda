import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.tls_directories import HOUR, SERVER, authority, hour, tls_directory

from chaperone.collector.identity.caller import AGENTS, Caller, Means
from chaperone.collector.identity.certificates import Subject, caller_of, issue, remaining


def test_a_certificate_names_whom_it_was_issued_for() -> None:
    pair = issue(authority(), Subject("node-1", (AGENTS, "others")), hour())
    assert caller_of(pair.certificate) == Caller("node-1", frozenset({AGENTS, "others"}), Means.CERTIFICATE)


def test_a_certificate_without_a_name_is_nobody() -> None:
    with pytest.raises(ValueError, match="one common name"):
        caller_of(issue(authority(), Subject(""), hour()).certificate)


def test_what_is_issued_satisfies_tls_on_both_sides(tmp_path: Path) -> None:
    """By OpenSSL's own judgement, in memory; a stranger's certificate does not."""
    parent = authority()
    server = _context(ssl.PROTOCOL_TLS_SERVER, tls_directory(tmp_path / "s", parent, SERVER))
    client = _context(ssl.PROTOCOL_TLS_CLIENT, tls_directory(tmp_path / "c", parent, Subject("alice")))
    _shake(server, client)
    stranger = tls_directory(tmp_path / "x", authority(), Subject("alice"))
    (stranger / "ca.crt").write_bytes(parent.certificate)
    with pytest.raises(ssl.SSLError):
        _shake(server, _context(ssl.PROTOCOL_TLS_CLIENT, stranger))


def test_how_long_a_certificate_lasts_is_known() -> None:
    left = remaining(issue(authority(), SERVER, hour()).certificate, datetime.now(UTC))
    assert timedelta(minutes=59) < left <= HOUR


def _context(protocol: "ssl._SSLMethod", folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _shake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up, server_hostname="127.0.0.1")]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    for end in ends:
        end.do_handshake()
