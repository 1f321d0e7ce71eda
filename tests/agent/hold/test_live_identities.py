"""Programs that change what they are: in a pid namespace, not dumpable, with another user's rights, another program while one is held."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.enforced import client, enforced, until

from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.trace.values import TlsHeld
from chaperone.proto.records import Hold

pytestmark = pytest.mark.kernel
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)'
WHO = '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("%d %d\\n", getuid(), geteuid()); }\n'
BOTH = pytest.mark.parametrize("seized", [True, False])


@BOTH
def test_one_in_a_pid_namespace_is_held(tracer, server, seized: bool) -> None:
    with enforced(tracer) as it:
        alone = client(server, "import os; print(os.getpid())\n" + ASK)
        status, said = it.run(["unshare", "--pid", "--fork", "--mount-proc", *alone], seized=seized)
        assert (status, said) == (0, "1\n5\n") and it.outcomes() == ["pass"]


@BOTH
def test_one_that_is_not_dumpable_is_held(tracer, server, seized: bool) -> None:
    program = "import ctypes; print(ctypes.CDLL(None).prctl(4, 0, 0, 0, 0), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n" + ASK
    with enforced(tracer) as it:
        status, said = it.run(client(server, program), seized=seized)
        assert (status, said) == (0, "0 0\n5\n") and it.outcomes() == ["pass"]


@BOTH
def test_one_that_gives_up_its_rights_is_held(tracer, server, seized: bool) -> None:
    program = "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534); print(os.getuid())\n" + ASK
    with enforced(tracer) as it:
        status, said = it.run(client(server, program), seized=seized)
        assert (status, said) == (0, "65534\n5\n") and it.outcomes() == ["pass"]


def test_a_setuid_program_keeps_its_rights_while_it_is_traced(tracer, server, tmp_path: Path) -> None:
    (tmp_path / "who.c").write_text(WHO)
    who = Path("/usr/local/bin") / f"chaperone-test-who-{os.getpid()}"  # /tmp may be mounted nosuid
    subprocess.run(["gcc", "-o", tmp_path / "who", tmp_path / "who.c"], check=True)
    shutil.copy(tmp_path / "who", who)
    try:
        who.chmod(0o4755)
        program = f"import os, subprocess; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n{ASK}\nsubprocess.run([{str(who)!r}])"
        with enforced(tracer) as it:
            status, said = it.run(client(server, program))
            assert (status, said) == (0, "5\n65534 0\n") and it.outcomes() == ["pass"]
    finally:
        who.unlink()


def test_another_thread_may_execute_while_one_is_held(tracer, server, tmp_path: Path) -> None:
    """The held thread is gone then, and nothing of it was sent; what was executed is held as well."""
    go = tmp_path / "go"
    program = f"""
import os, pathlib, threading, time
threading.Thread(target=lambda: tls.sendall(b"0 9\\\\n"), daemon=True).start()
while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)
os.execv({sys.executable!r}, {client(server, ASK)!r})
"""

    def decide(hold: Hold) -> Order | None:
        held = next(value for value in reversed(it.values) if isinstance(value, TlsHeld))
        if len(it.asked) > 1:
            return Order(hold.hold, Name.PASS)
        until(lambda: held.tid in it.holds.seizer.kept)
        go.touch()
        return None

    with enforced(tracer) as it:
        status, said = it.run(client(server, program), decide)
        assert (status, said) == (0, "5\n") and it.outcomes() == ["gone", "pass"]
        assert sorted(out for out, _ in server.finished()) == [b"", b"0 5\n"]


def test_one_that_is_killed_while_it_is_held_sends_nothing(tracer, server) -> None:
    def decide(hold: Hold) -> None:
        held = next(value for value in reversed(it.values) if isinstance(value, TlsHeld))
        until(lambda: held.tid in it.holds.seizer.kept)
        os.kill(held.tls.pid, signal.SIGKILL)

    with enforced(tracer) as it:
        status, said = it.run(client(server, ASK), decide)
        assert status == 128 + signal.SIGKILL and "5" not in said.split() and it.outcomes() == ["gone"]
        assert server.finished()[0][0] == b""
