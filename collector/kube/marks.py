"""An open call's state as msgpack types, and back. Codings and channels in flight cannot be saved."""

from dataclasses import replace
from typing import Any

from chaperone.collector.kube.body import Budget, Gatherer, read_body
from chaperone.collector.kube.call import Body, Form, Piece
from chaperone.collector.kube.forms.many import Many
from chaperone.collector.kube.ongoing import Ongoing, Reader
from chaperone.collector.kube.watch import EventStream, LogStream

_READERS = {"gather": Gatherer, "watch": EventStream, "log": LogStream}
_PIECE = ("channel", "direction", "position", "time")
Saved = dict[str, Any]


def saved_ongoing(ongoing: Ongoing) -> Saved | None:
    """The state between two reports; None where it cannot be saved. `size`: bytes of bodies in it."""
    if ongoing.channels is not None or ongoing.pieces:
        return None
    readers = {name: getattr(ongoing, name) for name in ("request", "response")}
    states = {name: reader.saved() for name, reader in readers.items() if reader is not None}
    if any(state is None for state in states.values()):
        return None
    if ongoing.response_body is not None and isinstance(ongoing.response_body.object, Many):
        return None
    bodies = {name: _saved_body(body) for name in ("request_body", "response_body") if (body := getattr(ongoing, name))}
    kinds = {name: _name(readers[name]) for name in states}
    size = sum(len(state["data"]) for state in (*states.values(), *bodies.values()))
    return {"readers": states, "kinds": kinds, "bodies": bodies, "late": ongoing.is_late, "doubts": list(ongoing.doubts), "size": size}


def restore_ongoing(saved: Saved, budget: Budget) -> Ongoing:
    """An Ongoing that goes on where it was saved; its heads come again with the next report."""
    ongoing = Ongoing(budget)
    ongoing.is_late, ongoing.doubts = saved["late"], tuple(saved["doubts"])
    for name, state in saved["readers"].items():
        setattr(ongoing, name, _restored(saved["kinds"][name], state, budget))
    for name, state in saved["bodies"].items():
        setattr(ongoing, name, _restored_body(state))
    return ongoing


def saved_piece(piece: Piece) -> Saved:
    """What is known of a piece besides its text."""
    plain = {name: getattr(piece, name) for name in _PIECE}
    return plain | {"body": _saved_body(replace(piece.body, data=b"", object=None))}


def restored_piece(saved: Saved) -> Piece:
    """The piece that was saved."""
    return Piece(**{name: saved[name] for name in _PIECE}, body=_restored_body(saved["body"]))


def _name(reader: Reader) -> str:
    return next(name for name, cls in _READERS.items() if isinstance(reader, cls))


def _restored(name: str, state: Saved, budget: Budget) -> Reader:
    if name == "gather":
        return Gatherer.restore(state, budget)
    return EventStream.restore(state, budget) if name == "watch" else LogStream.restore(state)


def _saved_body(body: Body) -> Saved:
    names = ("media_type", "size", "wire_size", "complete", "data", "kind", "api_version")
    return {"form": str(body.form), "ambiguous": list(body.ambiguous), "parsed": body.object is not None} | {
        name: getattr(body, name) for name in names
    }


def _restored_body(saved: Saved) -> Body:
    raw = Body(
        Form(saved["form"]),
        saved["media_type"],
        saved["size"],
        saved["wire_size"],
        saved["complete"],
        saved["data"],
        None,
        saved["kind"],
        saved["api_version"],
        tuple(saved["ambiguous"]),
    )
    return read_body(raw) if saved["parsed"] else raw
