"""`python dying_enforcer.py STATE allow|deny CGROUP CLIENT…`: an enforced client whose enforcer says when it is in a state.

idle: nobody is held; holding: a write waits; gathering: one was taken for written; answering: a read waits for its answer.
Says on stdout the client's pid, then "now". GROW makes it use ever more memory.
"""

import signal
import sys
import threading
import time
from pathlib import Path

from support.enforced import ALLOWING, DENYING, Enforced, begun
from support.tls_server import libssl

from chaperone.agent.hold.guardian import Guardian
from chaperone.agent.hold.lane import Piece
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.trace.tracer import Tracer
from chaperone.proto.records import Direction, Hold
from chaperone.proto.refusals import Refusal

GROW, MIB, MUCH = signal.SIGUSR1, 1 << 20, 1024


def main(state: str, on_failure: str, group: Path, *client: str) -> None:
    signal.signal(GROW, lambda _number, _frame: print(len([b"x" * MIB for _ in range(MUCH)]), "MiB were too few", file=sys.stderr))
    with Tracer() as tracer:
        tracer.attach(libssl())
        it = Enforced(tracer, group, tracer.govern(group), DENYING if on_failure == "deny" else ALLOWING)
        guardian = Guardian(tracer.kernel)
        with begun(list(client), group) as (_, pid, go):
            it.holds.seize(pid)
            print(pid, flush=True)
            go()
            said = threading.Event()
            while True:
                guardian.beat()
                it.step(lambda hold: decided(it, state, hold, said))
                if state in ("idle", "gathering") and it.outcomes():
                    it.holds.seizer.call(lambda: None)  # who has said an outcome lets go next
                    tell(said)


def decided(it: Enforced, state: str, hold: Hold, said: threading.Event) -> Order | None:
    if state == "idle":
        return Order(hold.hold, Name.PASS)
    if state == "gathering":
        return Order(hold.hold, Name.SKIP)
    if state == "answering" and hold.direction is Direction.OUT:
        it.holds.hold_from(hold.stream, Direction.IN, 0)
        parts = () if hold.position else (Piece(0, hold.size, "http1-harmless", Refusal("r")),)
        return Order(hold.hold, Name.WRITE, parts, hold.position + hold.size)
    until_stopped(it)
    tell(said)
    return None


def until_stopped(it: Enforced) -> None:
    deadline = time.monotonic() + 20
    while not it.holds.seizer.kept and time.monotonic() < deadline:
        time.sleep(0.002)


def tell(said: threading.Event) -> None:
    if not said.is_set():
        said.set()
        print("now", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
