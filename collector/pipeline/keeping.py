"""What is kept of bodies, as the policies of a session say: rules have read them by then."""

from dataclasses import replace
from typing import Any

from chaperone.collector.rules.terms import Bodies
from chaperone.collector.store.rows import Kind, Row

SIDES = ("requestBody", "responseBody")


def kept(row: Row, bodies: Bodies) -> Row | None:
    """The row without what is not to be kept; None where nothing of it is."""
    if bodies is Bodies.MASKED or row.kind not in (Kind.CALL, Kind.PIECE):
        return row
    if row.kind is Kind.PIECE:
        return None if bodies is Bodies.NONE else _with(row, {"body": _emptied(row.document["body"])})
    return _with(row, {side: None if bodies is Bodies.NONE else _emptied(row.document[side]) for side in SIDES})


def _with(row: Row, changed: dict[str, Any]) -> Row:
    return replace(row, document={**row.document, **changed})


def _emptied(body: dict[str, Any] | None) -> dict[str, Any] | None:
    """Its form, kind and sizes, and how much of it was secret."""
    return body and {**body, "data": None}
