"""The JSON shape of everything that is recorded: made here and nowhere else, from masked values only.

`chaperone decode -o jsonl`, `chaperone calls list -o json` and the store's `document` column print this shape. Times are
RFC 3339 with nanoseconds in UTC, or null. A call:

| key | value |
| --- | --- |
| id session stream | ids (hex) |
| phase | "request", "response", "stream" or "end": how far it was known |
| time requested answered ended | when its first byte was written, the request was complete, the head was there, it was over |
| duration_ms | time to ended, else null |
| process | {id, pid, exe, argv}; pid is null where unknown; `argvCut`: true where argv was longer and the rest is not known |
| protocol method requestURI authority | as on the wire, masked |
| position | of its request's first byte on the stream |
| verb isResource apiGroup apiVersion resource subresource namespace name | as the apiserver reads them; "" where absent |
| user userSource | who, and whether that is "claimed", "pod" or "unknown" |
| impersonated | {user, groups, uid, extra} or null |
| userAgent auditID code subprotocol kubectlCommand kubectlSession | as on the wire; code null without an answer |
| bytes | {out, in} on the stream |
| complete gaps ambiguous | gaps: [{direction, position, size, reason}] |
| exit | {code, reason} of a command in a container, else null |
| requestHeaders responseHeaders | [[name, value], …] |
| hasRequestObject hasResponseObject | as the audit log would say |
| binding | digest of the request, which an approval is bound to (mask/binding.py); "" while it is not whole |
| denied | only of a call that never left: {id, rule, policy, message, approval}; its `code` is what its client was told |
| requestBody responseBody | null or {form, mediaType, kind, size, wireSize, complete, masked, encoding, data} |

`masked` counts replaced values; `encoding` says how `data` is written: "utf-8" or "base64". The store keeps a large body's
`data` beside the document under its `digest` (store/bodies.py); queries put it back on demand.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaperone.collector.mask.masked import MaskedBody, MaskedCall, MaskedExchange, MaskedPiece, MaskedProcess
from chaperone.collector.times import rfc3339


@dataclass(frozen=True, slots=True)
class Place:
    """Where something happened. `offset`: wall clock minus boot clock in ns; `process`: its document, as far as it is known."""

    session: str
    stream: str
    process: dict[str, Any]
    offset: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request never left. `id`: of the refusal, as the marked request that left in its place bears it."""

    id: str
    message: str
    rule: str = ""
    policy: str = ""
    approval: str = ""


def call_document(call: MaskedCall, id_: str, place: Place) -> dict[str, Any]:
    """A call as in the table above."""
    return {
        **_where(id_, place),
        **_exchange_fields(call, place.offset),
        "requested": _time(call.requested, place.offset),
        "answered": _time(call.answered, place.offset),
        **_request_fields(call),
        **_user_fields(call),
        **_answer_fields(call),
        "requestBody": _body(call.request_body),
        "responseBody": _body(call.response_body),
    }


def exchange_document(exchange: MaskedExchange, id_: str, place: Place) -> dict[str, Any]:
    """An exchange of something else: the keys it shares with a call, `path` without query, and `reason`."""
    return {
        **_where(id_, place),
        **_exchange_fields(exchange, place.offset),
        "path": exchange.path,
        "reason": exchange.reason,
    }


def denied(refused: Refused) -> dict[str, str]:
    """What a call has under `denied` that was refused before it left."""
    return {"id": refused.id, "rule": refused.rule, "policy": refused.policy, "message": refused.message, "approval": refused.approval}


def piece_document(piece: MaskedPiece, call: str, place: Place) -> dict[str, Any]:
    """What a streaming call brought: {call, session, stream, time, channel, direction, position, body}."""
    return {
        "call": call,
        "session": place.session,
        "stream": place.stream,
        "time": rfc3339(piece.time + place.offset),
        "channel": piece.channel,
        "direction": piece.direction,
        "position": piece.position,
        "body": _body(piece.body),
    }


def process_document(process: MaskedProcess, offset: int) -> dict[str, Any]:
    """A process: {id, session, time, pid, exe, argv, cwd, uid, parent}; `ended` and `status` come with a later version."""
    document = {
        "id": process.process,
        "session": process.session,
        "time": rfc3339(process.time + offset),
        "pid": process.pid,
        "exe": process.exe,
        "argv": list(process.argv),
        "cwd": process.cwd,
        "uid": process.uid,
        "parent": process.parent,
    }
    return document | ({"argvCut": True} if process.argv_cut else {})


def process_in_short(id_: str, process: Mapping[str, Any]) -> dict[str, Any]:
    """A process as a document of something it did has it; empty where nothing is known of it."""
    short = {"id": id_, "pid": process.get("pid"), "exe": process.get("exe", ""), "argv": process.get("argv", [])}
    return short | ({"argvCut": True} if process.get("argvCut") else {})


def _where(id_: str, place: Place) -> dict[str, Any]:
    process = process_in_short(place.process.get("id", ""), place.process)
    return {"id": id_, "session": place.session, "stream": place.stream, "process": process}


def _exchange_fields(x: MaskedCall | MaskedExchange, offset: int) -> dict[str, Any]:
    return {
        "phase": x.phase.name.lower(),
        "time": rfc3339(x.started + offset),
        "ended": _time(x.ended, offset),
        "duration_ms": None if x.ended is None else (x.ended - x.started) / 1e6,
        "protocol": str(x.protocol),
        "method": x.method,
        "authority": x.authority,
        "position": x.position,
        "code": x.code,
        "bytes": {"out": x.bytes_out, "in": x.bytes_in},
        "complete": x.complete,
        "gaps": [{"direction": g.direction, "position": g.position, "size": g.size, "reason": g.reason} for g in x.gaps],
    }


def _request_fields(call: MaskedCall) -> dict[str, Any]:
    info = call.info
    return {
        "requestURI": call.request_uri,
        "verb": info.verb,
        "isResource": info.is_resource,
        "apiGroup": info.api_group,
        "apiVersion": info.api_version,
        "resource": info.resource,
        "subresource": info.subresource,
        "namespace": info.namespace,
        "name": info.name,
        "userAgent": call.user_agent,
        "requestHeaders": [list(header) for header in call.request_headers],
        "hasRequestObject": call.has_request_object,
        "kubectlCommand": call.kubectl_command,
        "kubectlSession": call.kubectl_session,
        "binding": call.binding,
    }


def _user_fields(call: MaskedCall) -> dict[str, Any]:
    user = call.user
    impersonated = {
        "user": user.impersonated,
        "groups": list(user.impersonated_groups),
        "uid": user.impersonated_uid,
        "extra": [list(pair) for pair in user.impersonated_extra],
    }
    return {"user": user.name, "userSource": str(user.source), "impersonated": impersonated if any(impersonated.values()) else None}


def _answer_fields(call: MaskedCall) -> dict[str, Any]:
    return {
        "auditID": call.audit_id,
        "responseHeaders": [list(header) for header in call.response_headers],
        "hasResponseObject": call.has_response_object,
        "ambiguous": list(call.ambiguous),
        "subprotocol": call.subprotocol,
        "exit": {"code": call.exit.code, "reason": call.exit.reason} if call.exit else None,
    }


def _body(body: MaskedBody | None) -> dict[str, Any] | None:
    if body is None:
        return None
    encoding, data = _text(body.data)
    return {
        "form": str(body.form),
        "mediaType": body.media_type,
        "kind": body.kind,
        "size": body.size,
        "wireSize": body.wire_size,
        "complete": body.complete,
        "masked": body.masked,
        "encoding": encoding,
        "data": data,
    }


def _text(data: bytes) -> tuple[str, str]:
    try:
        return "utf-8", data.decode()
    except UnicodeDecodeError:
        return "base64", base64.b64encode(data).decode()


def _time(boot_ns: int | None, offset: int) -> str | None:
    return None if boot_ns is None else rfc3339(boot_ns + offset)
