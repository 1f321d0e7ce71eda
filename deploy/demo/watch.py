"""A watch that brings a few events with pauses, then ends as by its timeout."""

import asyncio
import copy
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import cycle, islice
from typing import Any

from asked import compact

NAME = "report-29384"
LIFE = [("ADDED", "0/1", "Pending"), ("MODIFIED", "1/1", "Running"), ("MODIFIED", "0/1", "Completed")]


async def paced(events: Iterable[dict[str, Any]], pause_s: float) -> AsyncIterator[bytes]:
    """One line an event, each after a pause."""
    for event in events:
        await asyncio.sleep(pause_s)
        yield compact(event)


def pods(table: dict[str, Any], as_table: bool, count: int = len(LIFE)) -> Iterator[dict[str, Any]]:
    """The life of a short job's pod, in the shape of the recorded Table; again and again until there were `count` events."""
    for number, (kind, ready, status) in enumerate(islice(cycle(LIFE), count)):
        row = copy.deepcopy(table["rows"][0])
        row["object"]["metadata"] |= {"name": NAME, "resourceVersion": str(1500 + number)}
        row["cells"] = [
            _cell(column["name"], cell, (ready, status)) for column, cell in zip(table["columnDefinitions"], row["cells"], strict=True)
        ]
        shown = table | {"metadata": {"resourceVersion": str(1500 + number)}, "rows": [row]}
        if number:
            shown["columnDefinitions"] = None  # as the apiserver does after the first event
        yield {"type": kind, "object": shown if as_table else _pod(row, status)}


def _cell(column: str, recorded: Any, now: tuple[str, str]) -> Any:
    return {"Name": NAME, "Ready": now[0], "Status": now[1], "Restarts": "0", "Age": "1s"}.get(column, recorded)


def _pod(row: dict[str, Any], status: str) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": row["object"]["metadata"], "status": {"phase": status}}
