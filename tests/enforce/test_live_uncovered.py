"""`uncovered: deny` of a policy, under `chaperone run`: a program whose TLS nobody reads says nothing, and everybody is told why."""

from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.c_peer import built
from support.collectors import ask
from support.governed_run import governed, storing
from support.holding import DENY_DELETE
from support.kernel import skip_without_kernel
from support.tls_server import tls_server

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]


def test_a_program_that_nobody_reads_says_nothing(tmp_path: Path, apiserver: ApiServer) -> None:
    skip_without_kernel()
    program = built("stays", tmp_path, "-static", "-s", "-lssl", "-lcrypto")
    with tls_server(tmp_path) as server, storing(tmp_path):
        command = f"{program} {server.port} {server.certificate} </dev/null && echo spoke; kubectl get pods -o name"
        done = governed(tmp_path, apiserver, DENY_DELETE, "sh", "-c", command)
        assert (done.returncode, done.stdout.splitlines()[:1]) == (0, ["pod/agent"]), done.stderr
        assert server.finished() == [], "not even hands are shaken"
        [session] = ask(tmp_path / "store", "sessions.show", session="latest")
    [note] = [note["text"] for note in session["notes"] if note["subject"] == "enforcement"]
    said = "TLS from an uninstrumented process or library was not let begin (uncovered: deny)"
    assert note.startswith(f"{said}: {program} (pid ") and "OpenSSL" in note
