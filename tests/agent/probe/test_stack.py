"""What is said of processes whose TLS nobody reads; the processes are real, the files made for the purpose."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaperone.agent.closing import Closer
from chaperone.agent.probe.stack import PIECE, UNKNOWN, Stacks
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.kept import KeptFiles

SLEEP = Path("/bin/sleep")
GONE = 2**22 + 7  # no pid that there can be


@contextmanager
def none_kept(pid: int, started: int) -> Iterator[list[int]]:
    yield []


def nothing(descriptor: int) -> bool:
    return False


@contextmanager
def sleeping(program: Path) -> Iterator[int]:
    process = subprocess.Popen([program, "60"])
    try:
        while "/libc.so" not in Path(f"/proc/{process.pid}/maps").read_text():
            time.sleep(0.001)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def with_text(folder: Path, text: bytes, name: str = "program", at: int = 0) -> Path:
    """A program that works and that has a text in it."""
    program = folder / name
    code = SLEEP.read_bytes()
    program.write_bytes(code + bytes(max(0, at - len(code))) + text)
    program.chmod(0o755)
    return program


MARKED = {
    b"/src/rustls-0.23.4/src/conn.rs": "rustls",
    b"third_party/boringssl/src/ssl/ssl_lib.cc\0": "BoringSSL",
    b"\0../ssl/ssl_lib.c\0": "OpenSSL",
    b"crypto/tls.(*Conn).Write": "Go's crypto/tls",
    b"nothing of the kind": UNKNOWN,
}


@pytest.mark.parametrize(("text", "expected"), MARKED.items())
def test_a_text_in_the_program_names_its_stack(tmp_path: Path, text: bytes, expected: str) -> None:
    with sleeping(with_text(tmp_path, text)) as pid:
        assert Stacks(nothing, none_kept).of(pid, 0) == expected


def test_a_text_that_two_pieces_share_is_found(tmp_path: Path) -> None:
    with sleeping(with_text(tmp_path, b"mbedtls_ssl_read", at=PIECE - 5)) as pid:
        assert Stacks(nothing, none_kept).of(pid, 0) == "Mbed TLS"


def test_a_stack_with_probes_is_named_only_if_there_is_no_other(tmp_path: Path) -> None:
    code = "import ssl, sys, time; print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    try:
        assert Stacks(lambda descriptor: True, none_kept).of(process.pid, 0) == "OpenSSL"
    finally:
        process.kill()
        process.communicate()


def test_a_process_that_is_gone_speaks_nothing_known() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    assert Stacks(nothing, none_kept).of(process.pid, 0) == UNKNOWN


def test_a_process_that_is_gone_is_named_by_what_was_kept(tmp_path: Path) -> None:
    kept, program = KeptFiles(Closer()), with_text(tmp_path, b"boringssl")
    handles = [os.open(path, os.O_PATH) for path in (program, with_text(tmp_path, b"", "libnss3.so"))]
    for handle in handles:
        kept.keep(Image(GONE, 6, 1), handle)
        os.close(handle)
    program.unlink()
    try:
        assert Stacks(nothing, kept.of).of(GONE, 6) == "BoringSSL or NSS"
        assert Stacks(nothing, kept.of).of(GONE, 7) == UNKNOWN
    finally:
        kept.close()


def test_a_file_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = Stacks(nothing, none_kept)
    with sleeping(with_text(tmp_path, b"wolfSSL_write")) as pid:
        assert stacks.of(pid, 0) == "wolfSSL"
        monkeypatch.setattr(os, "pread", None)
        assert stacks.of(pid, 0) == "wolfSSL"
