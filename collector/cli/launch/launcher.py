"""One run from its request to CMD's exit status.

The order is the point: what can be wrong with CMD is found first; CMD's process is forked before anything starts a
thread; collector and agent are ready before it is released; CMD's status is ours whatever happens to them after that.
"""

import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaperone.collector.cli.launch import apiservers, child, foreground
from chaperone.collector.cli.launch.account import Account, chosen
from chaperone.collector.cli.launch.agent import About, Agent, spool_of
from chaperone.collector.cli.launch.cgroup import RunCgroup, own_group
from chaperone.collector.cli.launch.command import Command, files_to_probe, resolve
from chaperone.collector.cli.launch.conclusion import Conclusion
from chaperone.collector.cli.launch.failed import LaunchError
from chaperone.collector.cli.launch.summary import shortened
from chaperone.collector.rules.terms import Keeping, Scan, Terms
from chaperone.collector.times import SECOND

KEPT = ("KUBECONFIG", "CHAPERONE_STORE", "CHAPERONE_SIMULATE_DROPS")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for. `socket`: where the store's collector listens."""

    argv: tuple[str, ...]
    socket: Path
    user: str | None = None
    apiservers: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()  # texts
    terms: Terms | None = None  # on which they act on CMD; None: they don't
    record: Keeping = Keeping.BEST_EFFORT


@dataclass(frozen=True, slots=True)
class Run:
    """A run that can begin."""

    command: Command
    account: Account
    environment: Mapping[str, str]
    servers: apiservers.Servers
    group: RunCgroup
    socket: Path
    policies: tuple[str, ...] = ()
    terms: Terms | None = None
    record: Keeping = Keeping.BEST_EFFORT

    @property
    def is_strict(self) -> bool:
        """Whether CMD ends rather than does what can't be recorded."""
        return self.record is Keeping.STRICT


@dataclass(frozen=True, slots=True)
class Outcome:
    """CMD's status and what is known about its recording. `left`: processes that live on."""

    session: str
    status: int
    left: int
    troubles: tuple[str, ...] = ()


def prepare(request: Request) -> Run:
    """Find everything out that needs no kernel. LaunchError if CMD can't run or we may not record."""
    account = chosen(request.user, os.environ, os.getuid())
    environment = account.environment(os.environ)
    command = resolve(request.argv, environment)
    if os.geteuid() != 0:
        raise LaunchError("recording needs root", as_root(sys.argv, os.environ))
    servers = apiservers.find(request.apiservers, environment, account.home)
    group = RunCgroup(own_group())
    return Run(command, account, environment, servers, group, request.socket, request.policies, request.terms, request.record)


def as_root(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """The same command line with sudo, which would forget variables that matter to us."""
    kept = ",".join(name for name in KEPT if environment.get(name))
    return shlex.join(["sudo", *([f"--preserve-env={kept}"] if kept else []), str(Path(argv[0]).absolute()), *argv[1:]])


def perform(run: Run, reach: Callable[[], None]) -> Outcome:
    """Record CMD until it ends. `reach` makes sure that a collector listens at the run's socket."""
    run.group.make()
    try:
        waiting = child.fork(child.Plan(run.command, run.account, run.environment, run.group.path))
        with _ended_unless_released(waiting):
            agent = Agent(agent_options(run), about(run, waiting.pid))
            with _stopped_on_failure(agent):
                reach()
                session = agent.wait_ready()
        status, left, troubles = _attend(run, waiting, agent, Conclusion(session, run.socket, reach))
        return Outcome(session, status, left, troubles)
    finally:
        run.group.remove()


def agent_options(run: Run) -> list[str]:
    """The agent's command line."""
    where = [f"--socket={run.socket}", f"--spool={spool_of(run.socket)}"]
    return [*where, f"--cgroup={run.group.path}", *(f"--attach={file}" for file in files_to_probe(run.command))]


def about(run: Run, pid: int) -> About:
    """What the recording says about the run, and what the agent is to do with it. `pid`: CMD's process."""
    return {
        "workload": f"run/{platform.node()}/{os.getpid()}",
        "user": run.account.name,
        "cwd": os.getcwd(),  # noqa: PTH109  (a text)
        "argv": shortened(run.command.argv),
        "apiservers": run.servers.addresses,
        "notes": run.servers.notes,
        "policies": run.policies,
        "record": str(run.record),
        "scan": str(Scan.ON),  # it stays on this machine, where any server may turn out to be an API server
        **_governing(run.terms),
        "pid": str(pid),
    }


def _governing(terms: Terms | None) -> dict[str, str]:
    """How the agent holds what CMD sends."""
    if terms is None:
        return {}
    limits = {"verdict_timeout_s": terms.verdict_timeout_ns, "hold_limit_s": terms.hold_limit_ns}
    said = {"mode": str(terms.mode), "on_failure": str(terms.on_failure), "uncovered": str(terms.uncovered)}
    return said | {name: str(ns / SECOND) for name, ns in limits.items()}


def _attend(run: Run, waiting: child.Child, agent: Agent, conclusion: Conclusion) -> tuple[int, int, tuple[str, ...]]:
    """From CMD's first instruction to the agent's last word: status, processes left, troubles."""
    with foreground.in_place_of_the_shell() as arrivals:
        with _stopped_on_failure(agent):
            waiting.release()
        ended: list[str] = []
        watched = {agent.descriptor: lambda: ended.append(_alone(run))}
        status = foreground.wait(waiting.pid, arrivals, watched)
        left = len(run.group.processes())
        return status, left, (*ended, *conclusion.troubles(agent, status, left))


def _alone(run: Run) -> str:
    """The agent is gone, CMD is not: what becomes of CMD."""
    if run.is_strict:
        run.group.kill()
        return "the agent ended before CMD did, so CMD was ended too: it is to be recorded strictly"
    return "the agent ended before CMD did"


@contextmanager
def _ended_unless_released(waiting: child.Child) -> Iterator[None]:
    try:
        yield
    except BaseException:
        waiting.abandon()
        raise


@contextmanager
def _stopped_on_failure(agent: Agent) -> Iterator[None]:
    try:
        yield
    except BaseException:
        agent.end()
        raise
