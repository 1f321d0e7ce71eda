"""`chaperone replay`: a session again, each process, call and answer at the recorded pace."""

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from chaperone.collector.cli.ask import StoreOption, ask, whom
from chaperone.collector.cli.options import SpeedOption
from chaperone.collector.cli.output import is_coloured, say
from chaperone.collector.cli.show.timeline import Timeline, raw, with_ends
from chaperone.collector.times import time_ns

PRINTED = {"stdout", "stderr"}
Document = dict[str, Any]


def replay(
    session: Annotated[str, typer.Argument(metavar="ID", help='The beginning of a session\'s id, or "latest"')] = "latest",
    speed: SpeedOption = 1.0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Keep the recorded pace, or print all at once")] = True,
    body_lines: Annotated[int, typer.Option("--body-lines", min=0, help="Lines shown of each body")] = 16,
    raw_output: Annotated[
        bool, typer.Option("--raw", help="Write what commands in containers printed as it was: it may control your terminal")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Replay a session: each process, call and answer (masked) at the recorded pace.

    Example: chaperone replay latest --speed 4x
    """
    moments = with_ends(ask(whom(store), "replay", session=session.lower(), bodies=True))
    timeline = Timeline(body_lines, is_coloured())
    try:
        for moment in paced(moments, speed) if wait else moments:
            if raw_output and moment["kind"] == "piece" and moment["document"]["channel"] in PRINTED:
                sys.stdout.buffer.write(raw(moment["document"]))
            else:
                say(timeline.lines(moment))
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def paced(moments: Iterator[Document], speed: float) -> Iterator[Document]:
    """Each moment when its time has come, counted from the first one's."""
    start: int | None = None
    began = time.monotonic()
    for moment in moments:
        at = time_ns(moment["at"]) if moment["at"] else start
        start = at if start is None else start
        if at is not None and start is not None:
            time.sleep(max(0.0, (at - start) / 1e9 / speed - (time.monotonic() - began)))
        yield moment
