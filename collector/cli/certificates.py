"""`chaperone certificates`: an authority of our own and what it issues, in a directory or in a cluster's Secrets."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from chaperone.collector.cli.failed import CommandError
from chaperone.collector.identity.caller import ADMINS, AGENTS, COLLECTORS
from chaperone.collector.identity.certificates import Subject
from chaperone.collector.identity.folder import Folder, Shelf, ShelfError
from chaperone.collector.identity.keeping import Change, keep

app = typer.Typer(no_args_is_help=True, help="Certificates for collector, agents and administrators.", rich_markup_mode=None)
HostOption = Annotated[list[str] | None, typer.Option("--host", help="A name or address of the collector (any number)")]


@app.command(epilog="Example: chaperone certificates folder /etc/chaperone/tls --host collector.example")
def folder(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="Gets the folders authority, collector, agent, admin and metrics")],
    host: HostOption = None,
) -> None:
    """Make what is missing in a directory, and renew what ends soon: run it daily. --tls takes one of its folders, such as DIR/agent."""
    _kept(Folder(path), host)


@app.command(epilog="Example: chaperone certificates secrets --namespace chaperone --host chaperone-collector.chaperone")
def secrets(
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Where the Secrets are")],
    host: HostOption = None,
    prefix: Annotated[str, typer.Option(help="Of their names")] = "chaperone-tls-",
    kubeconfig: Annotated[Path | None, typer.Option(help="For the API server [default: the pod's own account]")] = None,
) -> None:
    """The same in Secrets of a cluster, as a CronJob of the chart does."""
    from chaperone.collector.identity.cluster import Cluster  # noqa: PLC0415 - a quarter of a second that other commands need not wait
    from chaperone.collector.identity.secrets import Secrets  # noqa: PLC0415

    cluster = Cluster(kubeconfig)
    _kept(Secrets(cluster, namespace, prefix), host, cluster.close)


async def _nothing() -> None:
    pass


def _kept(shelf: Shelf, hosts: list[str] | None, close: Callable[[], Awaitable[None]] = _nothing) -> None:
    subjects = {
        "collector": Subject("chaperone-collector", (COLLECTORS,), hosts=tuple(hosts or ("localhost",))),
        "agent": Subject("chaperone-agent", (AGENTS,)),
        "admin": Subject("chaperone-admin", (ADMINS,)),
        "metrics": Subject("chaperone-metrics"),
    }
    try:
        changes: list[Change] = asyncio.run(_then(keep(shelf, subjects, datetime.now(UTC)), close))
    except ShelfError as error:
        raise CommandError(str(error), "look at its owner and rights, then run this again") from None
    for change in changes:
        typer.echo(f"{change.name}: renewed")
    if not changes:
        typer.echo("nothing to renew")


async def _then(work: Awaitable[list[Change]], close: Callable[[], Awaitable[None]]) -> list[Change]:
    try:
        return await work
    finally:
        await close()
