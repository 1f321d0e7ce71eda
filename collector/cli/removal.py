"""`chaperone removal`: what the chart's hooks do before it is removed, so that no lock of an agent stays behind on a node.

First all agents end, or one of them could lock a workload again behind the clean-up; then a DaemonSet cleans up on each node. A node that
does not answer (identity/away.py) is named and not waited for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaperone.collector.cli.failed import CommandError
from chaperone.collector.identity.away import Away

if TYPE_CHECKING:
    from chaperone.collector.identity.daemonsets import DaemonSets

LOOK_S = 1.0
PATIENCE_S = 240.0  # helm waits five minutes for a hook
AGAIN = "run this again when the API server answers, with an account that may get and delete this DaemonSet and list its pods"
LATE = "see why on these nodes, which do answer, or go on without them: helm uninstall --no-hooks, and `chaperone agent --clean-up` there"
BACK = "When they are back: `chaperone agent --clean-up` on each, or end its enforced pods; until then what its agent locked stays so."

app = typer.Typer(no_args_is_help=True, help="What the chart does before it is removed.", rich_markup_mode=None)
NameArgument = Annotated[str, typer.Argument(metavar="DAEMONSET")]
NamespaceOption = Annotated[str, typer.Option("--namespace", "-n", help="Where the DaemonSet is")]
KubeconfigOption = Annotated[Path | None, typer.Option(help="For the API server [default: the pod's own account]")]
PatienceOption = Annotated[float, typer.Option("--patience", metavar="SECONDS", help="The longest to wait for nodes that answer")]
AgentsOption = Annotated[
    str, typer.Option("--agents", metavar="DAEMONSET", help="The agents', whose pods on nodes that are away have stayed")
]


@app.command(epilog="Example: chaperone removal agents chaperone-agent --namespace chaperone")
def agents(
    name: NameArgument, namespace: NamespaceOption, kubeconfig: KubeconfigOption = None, patience: PatienceOption = PATIENCE_S
) -> None:
    """Delete the agents' DaemonSet, and wait until the last of its pods on nodes that answer has ended."""
    away = Away()

    async def is_done(sets: "DaemonSets") -> str:
        if await sets.waiting(name) is None:
            away.look((), 0)
            return ""
        await sets.delete(name)  # again and again: an API server that was away may not have heard it
        pods = await sets.pods(name)
        away.look(pods, time.monotonic())
        left = {pod.node for pod in pods if pod.grace_s is None or pod.node not in away.nodes}
        return f"pods of {name} have not ended{_on(left)}" if left or not pods else ""

    _wait(is_done, (namespace, kubeconfig), patience)
    typer.echo(f"{name} and all its pods are gone{_but(away)}")


@app.command(epilog="Example: chaperone removal nodes chaperone-clean-up --namespace chaperone")
def nodes(
    name: NameArgument,
    namespace: NamespaceOption,
    agents: AgentsOption = "",
    kubeconfig: KubeconfigOption = None,
    patience: PatienceOption = PATIENCE_S,
) -> None:
    """Wait until a DaemonSet that cleans up has done so on every node that answers."""
    away = Away()

    async def is_done(sets: "DaemonSets") -> str:
        found = await sets.waiting(name)
        if found is None:
            return f"there is no DaemonSet {name}"
        pods = await sets.pods(name)
        done = {pod.node for pod in pods if pod.is_ready}
        late = [pod for pod in (*pods, *(await sets.pods(agents) if agents else ())) if pod.node not in done]
        away.look(late, time.monotonic())
        if left := {pod.node for pod in late} - away.nodes:
            return f"nodes are not cleaned up{_on(left)}"
        return f"{found[0]} of {found[1]} nodes are not cleaned up" if len(pods) < found[1] else ""

    _wait(is_done, (namespace, kubeconfig), patience)
    typer.echo(f"every node is cleaned up{_but(away)}")


def _on(nodes: Iterable[str]) -> str:
    """Which, where that is known."""
    known = sorted(filter(None, nodes))
    return f": {', '.join(known)}" if known else ""


def _but(away: Away) -> str:
    return f", but for nodes that do not answer{_on(away.nodes)}\n{BACK}" if away.nodes else ""


def _wait(what: "Callable[[DaemonSets], Awaitable[str]]", where: tuple[str, Path | None], patience_s: float) -> None:
    """Until `what` says that nothing is in the way any more. CommandError."""
    if problem := asyncio.run(_waited(what, where, time.monotonic() + patience_s)):
        raise problem


async def _waited(what: "Callable[[DaemonSets], Awaitable[str]]", where: tuple[str, Path | None], deadline: float) -> CommandError | None:
    """What is in the way still when there is no more time."""
    from chaperone.collector.identity.cluster import Cluster, ClusterError  # noqa: PLC0415 - a quarter of a second that others need not wait
    from chaperone.collector.identity.daemonsets import DaemonSets  # noqa: PLC0415

    cluster = Cluster(where[1])
    try:
        while True:
            try:
                reason = await what(DaemonSets(cluster, where[0]))
                problem = CommandError(reason, LATE) if reason else None
            except ClusterError as error:
                problem = CommandError(str(error), AGAIN)
            if not problem or time.monotonic() > deadline:
                return problem
            await asyncio.sleep(LOOK_S)
    finally:
        await cluster.close()
