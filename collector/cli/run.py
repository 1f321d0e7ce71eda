"""`chaperone run -- CMD`: record one command and everything it starts. Owns the terminal, CMD and its exit status."""

from pathlib import Path
from typing import Annotated

import typer

CONTEXT = {"allow_interspersed_args": False, "ignore_unknown_options": False}


def run(
    command: Annotated[list[str], typer.Argument(help="CMD and its arguments, after --")],
    store: Annotated[Path | None, typer.Option(help="Directory of the store")] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Run CMD as this user (default: who called sudo)")] = None,
    apiserver: Annotated[list[str] | None, typer.Option(help="HOST:PORT of an apiserver, besides KUBECONFIG's")] = None,
) -> None:
    """Record one command and everything it starts."""
    raise typer.Exit(125)
