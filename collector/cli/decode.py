"""`chaperone decode`: capture files through the same pipeline, without kernel, root or store."""

import json
import secrets
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from chaperone.collector.cli.decoded import Decoded, decoded
from chaperone.collector.cli.mask import MaskOption, loaded
from chaperone.collector.cli.output import is_coloured, say
from chaperone.collector.cli.show import audit
from chaperone.collector.cli.show.call import COLUMNS, row
from chaperone.collector.cli.show.channels import channel_lines
from chaperone.collector.cli.show.table import table
from chaperone.collector.cli.show.timeline import trouble
from chaperone.collector.ingest.captures import CaptureError
from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.reveal import Revealer
from chaperone.collector.pipeline import Gate
from chaperone.collector.times import time_ns

LEFT_OUT = {"ID", "AGE", "PROCESS"}  # a capture has neither process nor age


class DecodeForm(StrEnum):
    """What `-o` takes."""

    JSONL = "jsonl"
    AUDIT = "audit"
    TABLE = "table"
    CHANNELS = "channels"


def decode(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", readable=False, help="Capture files, gzip or not")],
    output: Annotated[DecodeForm, typer.Option("--output", "-o", help="Calls, audit events, a table, or channels")] = DecodeForm.TABLE,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print secrets in clear; nothing is stored")] = False,
    mask: MaskOption = None,
) -> None:
    """Decode capture files into Kubernetes calls. Secrets are masked unless --reveal.

    \b
    Examples:
      chaperone decode kubectl-get-pods.1.jsonl.gz
      chaperone decode *.jsonl.gz -o audit
      chaperone decode kubectl-exec-ws.2.jsonl.gz -o channels
    """
    new_gate: Callable[[], Gate] = Revealer if reveal else partial(Masker, secrets.token_bytes(32), loaded(mask))
    failed = False
    for path in files:
        try:
            found = decoded(path, new_gate)
        except (CaptureError, OSError) as error:
            failed = True
            typer.echo(f"chaperone: {_reason(path, error)}", err=True)
            continue
        say(FORMS[output](found))
        _warn(found, output)
    sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def _audit(found: Decoded) -> Iterator[str]:
    return (json.dumps(audit.event(call, found.name), separators=(",", ":")) for call in found.calls)


def _jsonl(found: Decoded) -> Iterator[str]:
    """Calls with their pieces, in order of time; then exchanges that are not Kubernetes, losses, gaps and notes."""
    for call in found.calls:
        yield json.dumps({"record": "call", "source": found.name, **call, "pieces": found.pieces_of(call)})
    for kind, document in found.others:
        yield json.dumps({"record": kind, "source": found.name, **document})


def _table(found: Decoded) -> Iterator[str]:
    columns = [name for name in COLUMNS if name not in LEFT_OUT]
    keep = [name not in LEFT_OUT for name in COLUMNS]
    start = min((time_ns(call["time"]) for call in found.calls), default=0)
    rows = [
        [_offset(call, start), *(cell for cell, kept in zip(row(call, start), keep, strict=True) if kept), call["user"]]
        for call in found.calls
    ]
    yield f"{found.name}:"
    yield from table(["TIME", *columns, "USER"], rows, is_coloured())


def _offset(call: dict[str, Any], start: int) -> str:
    return f"+{(time_ns(call['time']) - start) / 1e9:.3f}s"


def _channels(found: Decoded) -> Iterator[str]:
    for call in found.calls:
        yield from channel_lines(found.name, call, found.pieces_of(call))


FORMS: dict[DecodeForm, Callable[[Decoded], Iterator[str]]] = {
    DecodeForm.AUDIT: _audit,
    DecodeForm.JSONL: _jsonl,
    DecodeForm.TABLE: _table,
    DecodeForm.CHANNELS: _channels,
}


def _warn(found: Decoded, output: DecodeForm) -> None:
    """What could not be read is said even where the form has no place for it."""
    for kind, document in found.others:
        if kind in {"loss", "gap", "note", "leak"} and output is not DecodeForm.JSONL:
            typer.echo(f"chaperone: {found.name}: {trouble(document)}", err=True)


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{path}: {error.strerror or type(error).__name__}"
    return str(error)
