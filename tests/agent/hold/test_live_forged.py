"""Programs that show the probes one thing and mean to send another."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.c_peer import built
from support.enforced import DENYING, Enforced, client, enforced
from support.tls_server import TlsServer

from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.values import SocketDenied

pytestmark = pytest.mark.kernel
COVERING = replace(DENYING, covers=True)
LIBRARY = ("-shared", "-fPIC")
HIDDEN = (*LIBRARY, "-fvisibility=hidden", "-Wl,--exclude-libs,ALL", "-l:libssl.a", "-l:libcrypto.a")
INTERPOSED = """
try:
    tls.sendall(b"0 5\\n")
    print(len(tls.recv(9)), flush=True)
except OSError: print("failed", flush=True)
"""
# An object that shakes hands and never says anything, so that another may begin; and one that has a peer in this very process.
FORGING = """
import ctypes
def memory(one, into, out, **how): return one.wrap_bio(into, out, **how)
idle = memory(context, ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="127.0.0.1")
into, out, own = ssl.MemoryBIO(), ssl.MemoryBIO(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
own.load_cert_chain(sys.argv[2], sys.argv[2].replace("cert.pem", "key.pem"))
shown, peer = memory(context, into, out, server_hostname="127.0.0.1"), memory(own, out, into, server_side=True)
for one in (idle, shown, peer, shown, peer):
    try: one.do_handshake()
    except ssl.SSLWantReadError: pass
hidden = ctypes.CDLL(sys.argv[3])
shown.write(sys.argv[4].encode())
print(hidden.ask(int(sys.argv[1])), flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forged")


@pytest.fixture(scope="module")
def hidden(folder: Path) -> Path:
    """TLS of its own, which no probe reads: it asks for 5 bytes."""
    return built("hidden_tls", folder, *HIDDEN)


@pytest.fixture(scope="module")
def interposed(folder: Path) -> Path:
    return built("interposed", folder, *LIBRARY, "-Wl,--no-as-needed", "-lssl")


def denied(it: Enforced) -> list[Denied]:
    return [value.why for value in it.values if isinstance(value, SocketDenied)]


def sent(server: TlsServer) -> bytes:
    return b"".join(out for out, _ in server.finished())


def test_what_a_preloaded_library_says_in_a_programs_place_is_what_is_judged(tracer, server, interposed) -> None:
    with enforced(tracer, COVERING) as it:
        assert it.run(["env", f"LD_PRELOAD={interposed}", *client(server, INTERPOSED)]) == (0, "6\n")
        assert ([hold.data for hold in it.asked], sent(server), denied(it)) == ([b"0 6\n"], b"0 6\n", [])


def test_what_it_says_by_tls_of_its_own_does_not_leave(tracer, server, interposed, hidden) -> None:
    preload = ["env", f"LD_PRELOAD={interposed}:{hidden}", f"PORT={server.port}"]
    with enforced(tracer, COVERING) as it:
        it.run([*preload, *client(server, INTERPOSED)])
        assert (it.asked, denied(it), sent(server)) == ([], [Denied.BYTES], b"")


def test_other_text_of_equal_length_is_not_told_apart(tracer, server, hidden) -> None:
    """What docs/threat-model.md says that nobody can tell: a library fed with text whose bytes go nowhere."""
    with enforced(tracer, COVERING) as it:
        assert it.run([*client(server, FORGING), str(hidden), "9 9\n"]) == (0, "5\n")
        assert ([hold.data for hold in it.asked], sent(server), denied(it)) == ([b"9 9\n"], b"0 5\n", [])


def test_more_than_was_shown_does_not_leave(tracer, server, hidden) -> None:
    with enforced(tracer, COVERING) as it:
        it.run([*client(server, FORGING), str(hidden), "9\n"])
        assert ([hold.data for hold in it.asked], sent(server), denied(it)) == ([b"9\n"], b"", [Denied.BYTES])
