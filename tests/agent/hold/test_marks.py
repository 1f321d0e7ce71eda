"""How many held threads of one workload the kernel notes."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.enforced import ALLOWING, DENYING, begun, client, enforced, passed, until

from chaperone.agent.hold.layout import HELD_SHARE, Tally
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.trace.kernel import Kernel

SECOND = 1_000_000_000
ROOM, THREADS = 5, 20
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)'
MANY = f"""
import threading
connections = [context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
               for _ in range({THREADS})]
def ask(one):
    begin.wait()
    one.sendall(b"0 5\\n")
    one.settimeout(60)
    said.append(len(one.recv(5)))
begin, said, threads = threading.Barrier({THREADS}), [], [threading.Thread(target=ask, args=[one]) for one in connections]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(said), flush=True)
"""


def noted(kernel: Kernel, workload: int) -> int:
    """Held threads of a workload, as the kernel counts them."""
    into, out = (kernel.entry(name, Tally, workload) for name in ("noted", "let_go"))
    return into.threads - out.threads


def charge(kernel: Kernel, workload: int, threads: int) -> None:
    """As if so many more of its threads were held."""
    kernel.store("noted", Tally(kernel.entry("noted", Tally, workload).threads + threads), workload)


@pytest.mark.kernel
@pytest.mark.parametrize("terms", [ALLOWING, DENYING])
def test_one_that_has_its_share_is_not_held_and_the_others_are(tracer, server, terms):
    """Twenty threads write at once where five more are noted; all that is noted is given back, by those that go on and those that die."""
    with enforced(tracer, replace(terms, verdict_timeout=60 * SECOND)) as hog, enforced(tracer) as other:
        charge(tracer.kernel, hog.workload, HELD_SHARE - ROOM)
        with begun(client(server, MANY), hog.path) as (child, pid, go):
            hog.holds.seize(pid)
            go()

            def is_full() -> bool:
                hog.step(lambda _hold: None)
                is_settled = tracer.unheld(hog.workload) == THREADS - ROOM and len(hog.asked) == ROOM
                return not Path(f"/proc/{pid}").exists() if terms.denies else is_settled

            until(is_full)
            assert other.run(client(server, ASK)) == (0, "5\n") and other.outcomes() == ["pass"]
            for hold in hog.asked:
                hog.holds.order(Order(hold.hold, Name.PASS))
            until(lambda: hog.step(passed) == 0 and child.poll() is not None)
            said = child.communicate()[0]
        until(lambda: not hog.holds.waiting)
        assert noted(tracer.kernel, hog.workload) == HELD_SHARE - ROOM and noted(tracer.kernel, other.workload) == 0
        charge(tracer.kernel, hog.workload, ROOM - HELD_SHARE)
        unheld = tracer.unheld(hog.workload)
        tracer.enforce(hog.workload, None)
        assert tracer.unheld(hog.workload) == unheld > 0, "it is said at the end, when nothing is held any more"
    if terms.denies:
        assert "Killed" in said and len(hog.asked) <= ROOM and "pass" not in hog.outcomes()
    else:
        assert said == f"{THREADS}\n" and hog.outcomes() == ["pass"] * ROOM
