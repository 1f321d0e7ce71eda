"""`chaperone agent` and `chaperone collector`: the two halves as processes of their own, with their own options.

Each replaces this process, so that neither ever has the other's modules loaded.
"""

import os
import sys

import typer

ALL_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def agent(context: typer.Context) -> None:
    """Run the agent: probes on this machine, records to a collector. Options: chaperone agent --help."""
    _become("chaperone.agent", context.args)


def collector(context: typer.Context) -> None:
    """Run the collector: keep a store, take records, answer questions. Options: chaperone collector --help."""
    _become("chaperone.collector", context.args)


def _become(module: str, arguments: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])
