"""Options that several commands take, and what their values mean."""

import time
from typing import Annotated

import typer

from chaperone.collector.cli.output import Form
from chaperone.collector.cli.show.times import parse_duration
from chaperone.collector.times import rfc3339

FormOption = Annotated[Form, typer.Option("--output", "-o", help="How to print it")]


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _speed(text: str | float) -> float:
    try:
        speed = float(str(text).removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        raise typer.BadParameter(f"{text!r} is no speed; write for example 2x or 0.5x")
    return speed


SinceOption = Annotated[
    int | None, typer.Option("--since", parser=_duration, metavar="DURATION", help="Not older than this, such as 10m or 2h")
]
SpeedOption = Annotated[float, typer.Option("--speed", parser=_speed, metavar="SPEED", help="How fast, such as 2x or 0.5x")]


def instant(ago_ns: int) -> str:
    """The time `ago_ns` before now, as the store's questions take it."""
    return rfc3339(time.time_ns() - ago_ns)
