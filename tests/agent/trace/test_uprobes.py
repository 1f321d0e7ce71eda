"""Live: links and perf events meet the same calls; whatever opens probes, all are gone at the end."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.tls_server import libssl

from chaperone.agent.closing import Closer
from chaperone.agent.probe.apart import Parser
from chaperone.agent.probe.points import OPENSSL
from chaperone.agent.trace import kernel as module
from chaperone.agent.trace.files import ProbedFiles
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.uprobes import has_links, link
from chaperone.agent.trace.values import Attached

pytestmark = pytest.mark.kernel
PROGRAMS = sorted({program for pair in OPENSSL.values() for program in pair if program})
# Whoever else uses the library meanwhile is not counted.
ONE = """{
  int zero = 0;
  u64 *number = hits.lookup(&zero);
  if (number && bpf_get_current_pid_tgid() >> 32 == PID) __sync_fetch_and_add(number, 1);
  return 0;
}"""
COUNTING = "BPF_ARRAY(hits, u64, 1);\n" + "".join(f"int {program}(void *ctx) {ONE}\n" for program in PROGRAMS)
WAYS = {"links": True, "perf events": False}


class Hits(ctypes.Structure):
    _fields_ = (("number", ctypes.c_uint64),)


@pytest.fixture
def parser() -> Iterator[Parser]:
    parser = Parser()
    yield parser
    parser.close()


def fail_to_read(library: ctypes.CDLL) -> None:
    """SSL_read and SSL_write on no object: -1 at once, and an entry and a return each."""
    for call in (library.SSL_read, library.SSL_write):
        call(library.made, ctypes.create_string_buffer(8), 8)


@pytest.fixture
def library() -> ctypes.CDLL:
    library = ctypes.CDLL(libssl())
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(library, name).restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method())))
    library.made = ctypes.c_void_p(library.SSL_new(context))
    return library


@pytest.mark.parametrize("by_link", WAYS.values(), ids=WAYS)
def test_each_way_meets_entries_and_returns(parser: Parser, library: ctypes.CDLL, by_link: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if by_link and not has_links():
        pytest.skip("this kernel has no links of many uprobes (6.6)")
    monkeypatch.setattr(module, "has_links", lambda: by_link)
    kernel = Kernel(COUNTING, {"PID": os.getpid()})
    try:
        files = ProbedFiles(kernel, parser)
        found = files.attach(libssl())
        assert isinstance(found, Attached)
        fail_to_read(library)
        entry = kernel.entry("hits", Hits)
        assert entry
        assert entry.number == 4
        files.drop((found.device, found.inode))
        kernel.closer.finish()
        fail_to_read(library)
        entry = kernel.entry("hits", Hits)
        assert entry
        assert entry.number == 4, "after the drop nobody is met"
    finally:
        kernel.closer = Closer()
        kernel.close()


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    if not has_links():
        pytest.skip("this kernel has no links of many uprobes (6.6)")
    kernel = Kernel(COUNTING, {"PID": os.getpid()})
    try:
        with pytest.raises(OSError, match="No such file"):
            link(kernel.load_uprobe("on_ssl_return"), str(tmp_path / "absent"), (0,), at_return=False)
    finally:
        kernel.close()
