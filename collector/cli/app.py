"""The command `chaperone`: what it offers, and how it fails: one sentence and the next step, no traceback without --debug."""

import errno
import importlib.metadata
import io
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from chaperone.collector.cli import (
    accesses,
    alerts,
    approvals,
    calls,
    certificates,
    clients,
    connections,
    coverage,
    decode,
    doctor,
    glass,
    halves,
    kill,
    mask,
    removal,
    replay,
    rules,
    run,
    sessions,
    status,
    verdicts,
)
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.server import CHOSEN, AuthorityOption, KubeconfigOption, NameOption, Server, ServerOption, TlsOption

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command("run", context_settings=run.CONTEXT)(run.run)
app.add_typer(sessions.app, name="sessions")
app.add_typer(calls.app, name="calls")
app.add_typer(connections.app, name="connections")
app.add_typer(rules.app, name="rules")
app.add_typer(mask.app, name="mask")
app.add_typer(alerts.app, name="alerts")
app.add_typer(certificates.app, name="certificates")
app.add_typer(removal.app, name="removal")
app.add_typer(accesses.app, name="accesses")
app.add_typer(approvals.app, name="approvals")
app.add_typer(kill.app, name="kill")
app.add_typer(verdicts.app, name="verdicts")
app.command("status")(status.status)
app.command("break-glass")(glass.break_glass)
app.command("coverage")(coverage.coverage)
app.command("replay")(replay.replay)
app.command("decode")(decode.decode)
app.command("collector", context_settings=halves.ALL_ARGUMENTS)(halves.collector)
app.command("agent", context_settings=halves.ALL_ARGUMENTS)(halves.agent)
app.command("doctor")(doctor.doctor)
app.command("clients")(clients.clients)


def main() -> None:
    """Entry point of the command."""
    _have_standard_streams()
    sys.excepthook = _one_sentence
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 must not stop a listing
    typer.main.get_command(app)(prog_name="chaperone")  # app() itself would put a hook of its own in place


def _have_standard_streams() -> None:
    """Where the caller closed one, /dev/null: else the next file or pipe that is opened would take its number."""
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # lowest first: it gets this number
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w"))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chaperone {importlib.metadata.version('kube-chaperone')}")
        raise typer.Exit


@app.callback()
def _chaperone(
    server: ServerOption = None,
    server_name: NameOption = "",
    tls: TlsOption = None,
    ca: AuthorityOption = None,
    kubeconfig: KubeconfigOption = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks")] = False,
) -> None:
    """Record what programs say to a Kubernetes API server, list it, replay it.

    \b
    Examples:
      sudo chaperone run -- kubectl get secrets
      chaperone calls list --since 10m
      chaperone replay latest --speed 2x
      chaperone --server localhost:7443 --tls ~/.chaperone sessions list
      chaperone decode capture.jsonl.gz -o audit
    """
    CHOSEN.set(Server(server, server_name, tls, ca, kubeconfig) if server else None)
    if debug:
        sys.excepthook = sys.__excepthook__


def _one_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback. Python exits with 1 behind it, after Ctrl-C as one whom SIGINT ended."""
    if issubclass(kind, KeyboardInterrupt):
        return
    if issubclass(kind, BrokenPipeError):  # the reader of our output left: nobody is there to be told
        _give_up_output()
        return
    if isinstance(error, CommandError):
        sentence, step = error.sentence, error.step
    elif isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
        _give_up_output()
        sentence, step = f"the output could not be written: {error.strerror}", "make room, or write it elsewhere"
    else:
        place = _innermost(trace)
        sentence, step = f"this is a fault in chaperone: {kind.__name__} in {place}", "chaperone --debug … shows more; please report it"
    typer.echo(f"chaperone: {sentence}", err=True)
    if step:
        typer.echo(f"  next: {step}", err=True)


def _give_up_output() -> None:
    """Python would try to write the rest of it at exit, and complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _innermost(trace: TracebackType | None) -> str:
    if trace is None:
        return "an unknown place"
    while trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
