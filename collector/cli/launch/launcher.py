"""One run from its request to CMD's exit status.

The order is the point: what can be wrong with CMD is found first; CMD's process is forked before anything starts a
thread; collector and agent are ready before it is released; CMD's status is ours whatever happens to them after that.
"""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.launch import apiservers, child, foreground
from chaperone.collector.cli.launch.account import Account, chosen
from chaperone.collector.cli.launch.agent import Agent
from chaperone.collector.cli.launch.cgroup import RunCgroup, own_group
from chaperone.collector.cli.launch.command import Command, files_to_probe, resolve
from chaperone.collector.cli.launch.failed import LaunchError
from chaperone.collector.cli.launch.summary import SHORT_ID, shortened
from chaperone.proto.ids import SessionId, session_id


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    argv: tuple[str, ...]
    user: str | None = None
    apiservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A run that can begin. `started`: boot-time ns."""

    command: Command
    account: Account
    environment: Mapping[str, str]
    servers: apiservers.Servers
    group: RunCgroup
    workload: str
    started: int

    @property
    def session(self) -> SessionId:
        """Its id, as the agent will compute it."""
        return session_id(self.workload, self.started)


@dataclass(frozen=True, slots=True)
class Outcome:
    """CMD's status and what is known about its recording."""

    status: int
    left: int
    troubles: tuple[str, ...] = ()


def prepare(request: Request) -> Run:
    """Find everything out that needs no kernel. LaunchError if CMD can't run or we may not record."""
    account = chosen(request.user, os.environ, os.getuid())
    environment = account.environment(os.environ)
    command = resolve(request.argv, environment)
    if os.geteuid() != 0:
        raise LaunchError("recording needs root", f"sudo {Path(sys.argv[0]).absolute()} run -- {' '.join(request.argv)}")
    servers = apiservers.find(request.apiservers, environment, account.home)
    started = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    workload = f"run/{platform.node()}/{boot}/{os.getpid()}"
    group = RunCgroup(own_group(), session_id(workload, started)[:SHORT_ID])
    return Run(command, account, environment, servers, group, workload, started)


def perform(run: Run, reach: Callable[[], Path]) -> Outcome:
    """Record CMD until it ends. `reach` makes sure that a collector listens and returns its socket."""
    run.group.make()
    try:
        waiting = child.fork(child.Plan(run.command, run.account, run.environment, run.group.path))
        with _ended_unless_released(waiting):
            agent = Agent(agent_options(run, reach()))
            with _stopped_on_failure(agent):
                agent.wait_ready()
        return _attend(run, waiting, agent, reach)
    finally:
        run.group.remove()


def agent_options(run: Run, socket: Path) -> list[str]:
    """The agent's command line."""
    argv = [f"--session-argv={part}" for part in shortened(run.command.argv)]
    files = [f"--attach={file}" for file in files_to_probe(run.command)]
    servers = [f"--session-apiserver={address}" for address in run.servers.addresses]
    notes = [f"--session-note={note}" for note in run.servers.notes]
    session = [f"--session-workload={run.workload}", f"--session-started={run.started}"]
    about = [f"--session-user={run.account.name}", f"--session-cwd={Path.cwd()}"]
    return [f"--socket={socket}", f"--cgroup={run.group.path}", *session, *about, *argv, *files, *servers, *notes]


def _attend(run: Run, waiting: child.Child, agent: Agent, reach: Callable[[], Path]) -> Outcome:
    """From CMD's first instruction to the agent's last word."""
    with foreground.in_place_of_the_shell() as arrivals:
        with _stopped_on_failure(agent):
            waiting.release()
        ended: list[str] = []
        watched = {agent.descriptor: lambda: ended.append("the agent ended before CMD did")}
        status = foreground.wait(waiting.pid, arrivals, watched)
        left = len(run.group.processes())
        return Outcome(status, left, (*ended, *_concluded(agent, reach, (status, left))))


def _concluded(agent: Agent, reach: Callable[[], Path], said: tuple[int, int]) -> Iterator[str]:
    """Let the agent deliver its last records; what went wrong with that. CMD's status is known and stays."""
    try:
        reach()  # a collector that died meanwhile is replaced and gets what the agent has kept
    except CommandError as error:
        yield error.sentence
    report = agent.finish(*said)
    if report.trouble:
        yield report.trouble


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
