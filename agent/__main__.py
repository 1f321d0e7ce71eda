"""`python -m chaperone.agent`: wires kernel, records and collector together, and handles signals.

With a control descriptor it belongs to one `chaperone run` and ends with it; without, it runs on a node until SIGTERM.
Its last line on stdout says what was recorded.
"""

import json
import logging
import os
import signal
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from types import FrameType

from chaperone.agent.cluster.source import Where
from chaperone.agent.deliver.backlog import backlog
from chaperone.agent.deliver.cargo import load, state
from chaperone.agent.deliver.leftovers import Leftovers
from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.sole import is_sole
from chaperone.agent.deliver.uplink import CONTRACT, Cargo, Uplink
from chaperone.agent.health.front import Front
from chaperone.agent.health.probing import SelfProbe, own_place
from chaperone.agent.health.watch import Watch
from chaperone.agent.hold.lock import unlock
from chaperone.agent.own_process import guard, set_aside
from chaperone.agent.pods.node import Here, Node
from chaperone.agent.pods.select import Selection
from chaperone.agent.recording import Ended, Recording, told
from chaperone.agent.settings import Check, CleanUp, Deliver, PodSettings, Settings, parse
from chaperone.agent.throttle import Throttle
from chaperone.agent.trace.loading import refused
from chaperone.agent.trace.requirements import Problem, limits, problems
from chaperone.agent.trace.tracer import SLICE, TAKE, Tracer, TracerSettings
from chaperone.agent.workload.processes import boot_id, hierarchy
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.log import speaking

LOG = logging.getLogger("chaperone.agent")
WELCOME_S = 10.0
LAST_ACK_S = 10.0


class Stop:
    """Set by SIGTERM, SIGINT or the end of the control line."""

    def __init__(self, control_fd: int) -> None:
        self.control_fd = control_fd
        self.ended = Ended()
        self.is_set = self.is_told = self.is_abandoned = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def look(self) -> bool:
        """Whether it is time to end."""
        line = None if self.is_told else told(self.control_fd)
        if line is not None:
            self.is_set, self.is_told, self.is_abandoned = True, True, not line
            self.ended = Ended(**json.loads(line)) if line else Ended()
        return self.is_set

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True


def main() -> int:
    """Run until told to stop; 0 if everything recorded was confirmed."""
    settings = parse()
    with speaking("agent", settings.log):
        return done(settings)


def done(settings: Settings | Check | Deliver | CleanUp) -> int:
    """What was asked for; the exit status."""
    if isinstance(settings, Check):
        return check(settings)
    if isinstance(settings, Deliver):
        return deliver(settings)
    if isinstance(settings, CleanUp):
        return clean_up(settings)
    if missing := problems():
        return fail(settings, missing[0])
    try:
        guard()
        return begin(settings)
    except (OSError, RuntimeError) as error:
        return fail(settings, refusal(error))


def check(settings: Check) -> int:
    """List what is missing; 1 if anything is. What a kernel can do is found out by loading."""
    missing = problems() or [*refusals(), *limits()]
    if settings.output == "json":
        print(json.dumps([asdict(problem) for problem in missing]))  # noqa: T201
    for problem in missing if settings.output == "table" else []:
        print(f"{problem.what}: {problem.fix}")  # noqa: T201
    if settings.output == "table" and not missing:
        print("nothing is missing")  # noqa: T201
    return 1 if any(not problem.is_limit for problem in missing) else 0


def refusals() -> Iterator[Problem]:
    """What the kernel says when it is asked to load the probes."""
    try:
        with Tracer() as tracer:
            yield from tracer.limits()
            for program, why in refused(tracer.kernel):
                yield Problem(f"the kernel refused the program {program}: {why}", "report it with the output of: uname -a")
    except (OSError, RuntimeError) as error:
        yield refusal(error)


def refusal(error: OSError | RuntimeError) -> Problem:
    """An error of loading as a problem."""
    return Problem(f"the kernel refused: {getattr(error, 'strerror', None) or error}", "report it with the output of: uname -a")


def begin(settings: Settings) -> int:
    """Record, where no other agent governs this node's pods."""
    stop = Stop(settings.control_fd)
    if settings.pods and not is_sole(settings.storage.spool, stop.look, LOG.warning):
        return 0 if stop.is_set else fail(settings, Problem("another agent governs this node's pods", "end it first: a node has one"))
    return record(settings, stop)


def record(settings: Settings, stop: Stop) -> int:
    """Govern, probe, say that it may begin, record, end."""
    hello = greeting(settings.node)
    cargo, trouble = load(settings, hello.agent, hello.boot_id)
    told, broken = deque[wire.Selection](), deque[wire.Glass]()
    uplink = Uplink(settings.target, hello, replace(cargo, on_selection=told.append), settings.tls)
    uplink.on_glass = broken.append
    uplink.start()  # first: a collector that was started for us ends when nobody calls
    throttle = Throttle(settings.cpu)
    with Tracer(TracerSettings(take=SLICE if settings.cpu else TAKE)) as tracer:
        recording = Recording(tracer, cargo.outbox, settings, stop.look)
        uplink.on_order = recording.enforcement.take
        uplink.on_kill = recording.endings.take
        recording.glass.told = broken
        if trouble:
            recording.note("spool", f"nothing is kept on disk while no collector answers: {trouble}")
        if settings.ready_fd >= 0 and not is_accepted(uplink, stop):
            return fail(settings, Problem(uplink.trouble, "name another directory with --store, or see: chaperone doctor"))
        if settings.pods:
            recording.pods = node = node_of(recording, settings, settings.pods, told)
            while not node.is_ready and not stop.look():
                recording.step()
            recording.step()  # whom the kernel met before we looked stands in its ring
        if settings.health and settings.tls:
            front = Front(settings.health, settings.tls, LOG.warning)
            recording.watch = Watch(SelfProbe(recording, own_place(), settings.self_probe_s), front, partial(backlog, cargo), LOG.log)
        set_aside()
        tell(settings, {"session": next((session.id for session in recording.sessions.values()), "")})
        while not stop.look():
            recording.step()
            state(cargo, LOG.warning)
            throttle.rest()
        if stop.is_abandoned:
            recording.strict.end_all("whoever started the recording is gone")
        state(cargo, LOG.warning)
        recording.end(stop.ended)
        return report(recording, uplink)  # first: nobody should wait for probes to be taken off


def node_of(recording: Recording, settings: Settings, pods: PodSettings, told: deque[wire.Selection]) -> Node:
    """Who knows of this node's pods."""
    where = Where(*pods.api, settings.node, pods.account)
    return Node(recording, where, Selection(own=pods.own, is_known=False), Here(pods.root or hierarchy(), pods.servers, told))


def greeting(node: str) -> wire.Hello:
    """The first message of this process."""
    return wire.Hello(contract=CONTRACT, agent=uuid.uuid4().hex, boot_id=boot_id(), node=node, version=version("kube-chaperone"))


def deliver(settings: Deliver) -> int:
    """Pass on what dead agents left; say which sessions have their end now."""
    leftovers = Leftovers(settings.storage.spool, settings.storage.limit, settings.ended)
    leftovers.find()
    uplink = Uplink(settings.target, greeting(""), Cargo(Outbox(Limits()), leftovers), settings.tls)
    uplink.start()
    deadline = time.monotonic() + LAST_ACK_S
    while leftovers.under_way() and not uplink.is_refused and time.monotonic() < deadline:
        time.sleep(0.02)
    uplink.finish(0)
    for text in leftovers.news():
        LOG.warning(text)
    leftovers.close()
    refusals = [start.refusal for start in leftovers.starts.values() if start.refusal]
    trouble = "; ".join(dict.fromkeys(refusals)) or (uplink.trouble if leftovers.starts else "")
    print(json.dumps({"ended": leftovers.ended, "trouble": trouble}), flush=True)  # noqa: T201
    return 1 if leftovers.starts else 0


def clean_up(settings: CleanUp) -> int:
    """Take locks off, and say how many; 1 if that could not be done everywhere."""
    try:
        print(json.dumps({"unlocked": unlock(settings.cgroups or (hierarchy(),))}))  # noqa: T201
    except OSError as error:
        LOG.error("cannot unlock: %s: run this as root", error)
        return 1
    return 0


def is_accepted(uplink: Uplink, stop: Stop) -> bool:
    """Whether the collector confirms the session's first batch, unless we are told to stop or it takes too long."""
    deadline = time.monotonic() + WELCOME_S
    while not uplink.outbox.wait_empty(0.05):
        if stop.look() or uplink.is_refused or time.monotonic() > deadline:
            return False
    return True


def report(recording: Recording, uplink: Uplink) -> int:
    """Wait for the last acks and say what came of it."""
    is_confirmed = uplink.finish(LAST_ACK_S)
    batches, size = uplink.outbox.unacknowledged()
    trouble = "" if is_confirmed else f"{batches} batches ({size} bytes) were never confirmed: {uplink.trouble}"
    if uplink.outbox.spool:
        trouble += f"; they wait in {uplink.outbox.spool.folder.parent}" if trouble and not uplink.outbox.spool.trouble else ""
        uplink.outbox.spool.close()
    streams = recording.streams
    lost = streams.lost + uplink.outbox.lost
    said = {"bytes": streams.size, "chunks": streams.chunks, "lost": lost, "unconfirmed": batches, "trouble": trouble}
    print(json.dumps(said), flush=True)  # noqa: T201
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)  # whoever reads us is done
    return 0 if is_confirmed else 1


def tell(settings: Settings, message: dict[str, object]) -> None:
    """One line to whoever waits for us."""
    if settings.ready_fd >= 0:
        os.write(settings.ready_fd, json.dumps(message).encode() + b"\n")
        os.close(settings.ready_fd)


def fail(settings: Settings, problem: Problem) -> int:
    """Say why nothing is recorded."""
    tell(settings, {"failed": problem.what, "fix": problem.fix})
    LOG.error("%s: %s", problem.what, problem.fix)
    return 1


if __name__ == "__main__":
    sys.exit(main())
