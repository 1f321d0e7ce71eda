"""`chaperone break-glass`: for a while nothing is enforced, on this node or on all nodes of a collector."""

import json
import subprocess
import sys
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, whom
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.options import FormOption
from chaperone.collector.cli.output import Form, document
from chaperone.collector.cli.server import CHOSEN
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.cli.show.times import age
from chaperone.collector.cli.word import said
from chaperone.collector.times import SECOND
from chaperone.proto import glass

COMMAND = (sys.executable, "-I", "-m", "chaperone.agent.glass")
Document = dict[str, Any]
Time = Annotated[str, typer.Option("--for", metavar="TIME", help="So long, up to 24h")]
Reason = Annotated[str, typer.Option("--reason", "-r", metavar="TEXT", help="Why: it is recorded, and told to all receivers of alerts")]
End = Annotated[bool, typer.Option("--end", help="End it before its time")]
Nodes = Annotated[list[str] | None, typer.Option("--node", metavar="NODE", help="With a collector: this node (any number) [default: all]")]


def break_glass(
    time: Time = "15m",
    reason: Reason = "",
    end: End = False,
    node: Nodes = None,
    output: FormOption = Form.TABLE,
    store: StoreOption = None,
) -> None:
    """Set nodes to record: nothing is held, denied or masked. It ends by itself, is recorded, and alerts.

    On a node, as root, it needs neither agent nor collector. With --server (right: admin) or --store, nodes are told by the collector.

    \b
    Examples:
      sudo chaperone break-glass --for 15m --reason 'deployments hang'
      chaperone --server localhost:7443 --tls ~/.chaperone break-glass --for 1h --reason 'INC-123' --node worker-3
      sudo chaperone break-glass --end
    """
    _refuse_odd(time, reason, end)
    if CHOSEN.get() or store:
        word = {"glass": not end, "for": time, "nodes": list(node or ()), "why": reason}
        return _told(said(whom(store), "glass", word, "on a node, root can do it without a collector"), end, output)
    if node:
        raise CommandError("--node needs a collector, which knows the others", "name it with --server")
    return _here(["--end"] if end else ["--for", time, "--reason", reason], output)


def _refuse_odd(time: str, reason: str, end: bool) -> None:
    try:
        if not end:
            glass.seconds(time)
            glass.reason(reason)
    except glass.GlassError as error:
        raise CommandError(str(error), "chaperone break-glass --for 15m --reason 'deployments hang'") from None


def _here(options: list[str], output: Form) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or ["it ended without a word"]
        raise CommandError(words[0].removeprefix("chaperone break-glass: "), "run this as root on the node, for example with sudo")
    found: Document = json.loads(done.stdout)
    if output is not Form.TABLE:
        document(found, output)
    elif found["broken"]:
        typer.echo(
            f"On this node nothing is held, denied or masked for {age(found['left_s'] * SECOND)}. chaperone break-glass --end ends it."
        )
    else:
        typer.echo("On this node policies have their effect again.")


def _told(found: Document, end: bool, output: Form) -> None:
    """Exit 1 unless every node that was told has said that it is so; those without an agent's call hear of it when it calls."""
    if output is not Form.TABLE:
        document(found, output)
    silent = sorted(set(found["told"]) - set(found["said"]))
    missing = found.get("missing", [])
    names = escape(", ".join(found["said"])) or "no node"
    if output is Form.TABLE:
        typer.echo(f"{'Told' if end else 'Nothing is held, denied or masked on'}: {names}.")
    if silent or missing:
        sentences = [f"not said yet by {', '.join(silent)}"] * bool(silent) + missing
        raise CommandError(escape("; ".join(sentences)), "chaperone status shows the nodes; on the node itself root can do it")
