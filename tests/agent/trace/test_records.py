"""Ring records, made with the mirror, become values."""

from dataclasses import replace

import pytest

from chaperone.agent.trace.layout import NOT_WHOLE, ClosedRecord, ExecRecord, Head, Kind, ProcessRecord, TlsRecord
from chaperone.agent.trace.records import decode, shell_status
from chaperone.agent.trace.values import ProcessExec, ProcessExit, ProcessFork, Tls, TlsBytes, TlsClosed, TlsLost
from chaperone.proto.records import Cause, Direction

TLS = Tls(pid=7, started=5, handle=0x1000, born=9, library="go", workload=2, image=3)


def head(kind: Kind) -> Head:
    return Head(time=11, started=5, pid=7, image=3, kind=kind, workload=2)


def test_a_chunk_ends_where_its_bytes_end() -> None:
    raw = TlsRecord(head=head(Kind.BYTES), handle=0x1000, born=9, position=40, size=3, kept=3, direction=1, library=2)
    assert decode(bytes(raw) + b"abc" + bytes(253)) == TlsBytes(TLS, Direction.IN, 40, b"abc", 11)


def test_a_loss_has_size_and_cause() -> None:
    raw = TlsRecord(head=head(Kind.LOST), handle=0x1000, born=9, position=40, size=1 << 33, direction=0, library=2, cause=3)
    assert decode(bytes(raw)) == TlsLost(TLS, Direction.OUT, 40, 1 << 33, 11, Cause.TOO_LONG)


def test_a_loss_of_gnutls_may_have_causes_of_its_own() -> None:
    raw = TlsRecord(head=head(Kind.LOST), handle=0x1000, born=9, position=40, size=7, direction=1, library=3, cause=4)
    assert decode(bytes(raw)) == TlsLost(replace(TLS, library="gnutls"), Direction.IN, 40, 7, 11, Cause.NO_BUFFER)


def test_an_end_has_both_positions() -> None:
    raw = ClosedRecord(head=head(Kind.CLOSED), handle=0x1000, born=9, positions=(12, 34), library=2)
    assert decode(bytes(raw)) == TlsClosed(TLS, 11, 12, 34)


def executed(argv: bytes, size: int) -> ProcessExec:
    process = ProcessRecord(head=head(Kind.EXEC), parent_started=4, parent=1, uid=1000, kept=len(argv), size=size)
    raw = ExecRecord(process=process)
    raw.file[:9] = b"/bin/echo"
    raw.argv[: len(argv)] = argv
    value = decode(bytes(raw))
    assert isinstance(value, ProcessExec)
    return value


def test_an_exec_has_its_arguments_empty_ones_too() -> None:
    value = executed(b"echo\0a b\0\0", 10)
    assert value == ProcessExec(7, 5, 11, 2, "/bin/echo", ("echo", "a b", ""), False, 1000, 1, 4, "/")


@pytest.mark.parametrize(
    ("folder", "size", "cwd"),
    [(b"", 0, "/"), (b"c\0b b\0a\0", 8, "/a/b b/c"), (b"c\0\xff\0", 4, "/\\xff/c"), (b"c\0b\0", NOT_WHOLE, "")],
)
def test_an_exec_has_the_folder_that_it_happened_in(folder: bytes, size: int, cwd: str) -> None:
    raw = ExecRecord(process=ProcessRecord(head=head(Kind.EXEC), folder=size))
    raw.folder[: len(folder)] = folder
    value = decode(bytes(raw))
    assert isinstance(value, ProcessExec)
    assert value.cwd == cwd


def test_an_argv_that_was_cut_says_so() -> None:
    value = executed(b"echo\0abc", 100)
    assert (value.argv, value.argv_cut) == (("echo", "abc"), True)
    assert executed(b"", 5).argv == ()


def test_bytes_that_are_no_text_stay_readable() -> None:
    assert executed(b"echo\0\xff\0", 7).argv == ("echo", "\\xff")


def test_forks_and_exits() -> None:
    fork = ProcessRecord(head=head(Kind.FORK), parent_started=4, parent=1, uid=0)
    assert decode(bytes(fork)) == ProcessFork(7, 5, 11, 2, 0, 1, 4)
    ended = ProcessRecord(head=head(Kind.EXIT), status=7 << 8)
    assert decode(bytes(ended)) == ProcessExit(7, 5, 11, 2, 7)


def test_a_status_is_what_a_shell_shows() -> None:
    assert [shell_status(status) for status in (0, 1 << 8, 255 << 8, 9, 11 | 0x80)] == [0, 1, 255, 137, 139]
