"""`chaperone run -- CMD`: record one command and everything it starts. Owns the terminal, CMD and its exit status.

125: Chaperone itself failed and CMD was not started; 126, 127: CMD can't be executed or isn't there; else CMD's status
as a shell shows it.
"""

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from chaperone.collector.cli.ask import StoreOption, ask, directory
from chaperone.collector.cli.connect import reach
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.launch.failed import CHAPERONE_FAILED, LaunchError
from chaperone.collector.cli.launch.launcher import Outcome, Request, perform, prepare
from chaperone.collector.cli.launch.summary import Ending, Recorded, line
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.ingest.masking_file import NONE, settled_text
from chaperone.collector.ingest.policies import files_of, read_policies, text_of
from chaperone.collector.nodes import PolicyError
from chaperone.collector.rules.acting import keeping, strictest
from chaperone.collector.rules.terms import Keeping, Terms
from chaperone.collector.store.directory import MASKING, SOCKET

CONTEXT = {"allow_interspersed_args": False}
INTERRUPTED = 130


def run(
    command: Annotated[list[str], typer.Argument(metavar="CMD ARGS…", help="What to record, after --")],
    store: StoreOption = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Run CMD as this user [default: who called sudo]")] = None,
    apiserver: Annotated[list[str] | None, typer.Option(help="HOST:PORT of an apiserver, besides those of KUBECONFIG")] = None,
    mask: Annotated[
        Path | None, typer.Option("--mask", readable=False, metavar="FILE", help="A file of kind Masking, which the store remembers")
    ] = None,
    alerts: Annotated[Path | None, typer.Option(readable=False, help="Tell these receivers of alerts (docs/alerts.md)")] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(readable=False, help="Judge by the rules of this file or directory, besides the default ones")
    ] = None,
) -> None:
    """Record one command and everything it starts.

    \b
    Examples:
      sudo chaperone run -- kubectl get secrets
      sudo chaperone run --store ./recording -- sh -c 'kubectl get pods -o json | jq .items'
      sudo chaperone run --policy policy.yaml -- ./agent.sh
      sudo chaperone run -u ann --apiserver 10.0.0.1:6443 -- python agent.py

    The exit status is CMD's; 125: Chaperone failed and CMD did not run; 126, 127: CMD can't be executed or isn't there.
    """
    place = directory(store)
    try:
        texts, terms, record = policies_of(policy or [])
        run_ = prepare(Request(tuple(command), place / SOCKET, user, tuple(apiserver or ()), texts, terms, record))
        outcome = perform(run_, lambda: settled(place, mask, alerts))
    except LaunchError as error:
        _say(f"chaperone: {error.sentence}", _next(error.fix))
        raise typer.Exit(error.status) from None
    except CommandError as error:
        _say(f"chaperone: {error.sentence}", _next(error.step))
        raise typer.Exit(CHAPERONE_FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    _say(_last_line(outcome, place, store))
    raise typer.Exit(outcome.status)


def settled(place: Path, mask: Path | None, alerts: Path | None = None) -> None:
    """A collector answers that masks by this file, and tells the receivers of that one."""
    _masking(place, mask)
    if alerts:
        try:
            list(ask(place, "alerts.use", file=str(alerts.absolute())))
        except CommandError as error:
            raise CommandError(escape(error.sentence), "chaperone alerts test --alerts FILE says whether it is right") from None


def _masking(place: Path, mask: Path | None) -> None:
    """A collector answers that masks by this file."""
    if mask is None:
        reach(place, create=True)
        return
    try:
        text = settled_text(mask)
    except PolicyError as error:
        raise CommandError(escape(str(error)), "chaperone mask test tries such a file") from None
    reach(place, create=True, options=("--mask", str(mask if str(mask) == NONE else mask.absolute())))
    kept = place / MASKING
    if (kept.read_text() if kept.exists() else "") != text:
        step = (
            f"wait until it ends, or start one with: chaperone collector --store {shlex.quote(str(place))} --mask {shlex.quote(str(mask))}"
        )
        raise CommandError(f"the collector that has the store {place} open masks by another file", step)


def _last_line(outcome: Outcome, place: Path, named: Path | None) -> str:
    recorded, troubles = None, outcome.troubles
    try:
        for row in ask(place, "session.summary", session=outcome.session):
            size = row["bytes"]["in"] + row["bytes"]["out"]
            recorded = Recorded(row["calls"], size, tuple(row["missing"]), row["verdicts"], row["notCarriedOut"])
    except CommandError as error:
        troubles = (*troubles, error.sentence)
    return line(Ending(outcome.session, recorded, troubles, outcome.left, named))


def policies_of(files: list[Path]) -> tuple[tuple[str, ...], Terms | None, Keeping]:
    """The texts of policy files, every one of them right, on which terms they act, and how CMD is recorded. CommandError with file,
    line and key."""
    try:
        found = read_policies(files)
        return tuple(text_of(file) for path in files for file in files_of(path)), strictest(found), keeping(found)
    except PolicyError as error:
        raise CommandError(escape(str(error)), "chaperone rules check FILE says whether it is right") from None


def _next(step: str) -> str:
    return f"  next: {step}" if step else ""


def _say(*lines: str) -> None:
    """Tell the user; a closed stderr is no reason to change CMD's status."""
    with suppress(OSError):
        sys.stderr.write("".join(f"{text}\n" for text in lines if text))
        sys.stderr.flush()
