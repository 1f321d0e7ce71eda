"""Rows of what an agent says besides bytes: sessions, processes, streams, holds, notes. Texts of the workload come masked.

A later version has only what it adds (store/summary.py lays them over one another). `position` of a version is the boot time
of the fact where no stream position says which came later.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from chaperone.collector.mask.masked import MaskedProcess, MaskedText
from chaperone.collector.store.document import process_document
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import rfc3339
from chaperone.proto.records import Bound, Hold, Note, Outcome, ProcessEnded, SessionEnded, SessionStarted, StreamClosed, StreamOpened

BEGUN, KNOWN, OVER = 1, 2, 4  # phases; OVER is wire.exchange.Phase.END


@dataclass(frozen=True, slots=True)
class Command:
    """What a session was started with, masked."""

    argv: tuple[MaskedText, ...]
    cwd: MaskedText
    labels: dict[MaskedText, MaskedText]
    policies: tuple[MaskedText, ...] = ()


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes of a stream that are missing (`size` of them) or could not be read. `lost`: missing. `known`: nothing is incomplete."""

    stream: str
    direction: str
    position: int
    size: int
    time: int
    cause: str
    lost: bool
    known: bool = False


def session_begun(record: SessionStarted, command: Command, offset: int, own: str = "") -> Row:
    """A session: {id, workload, time, user, argv, cwd, node, apiservers, labels}; with policies of its own `policies` [{text, digest,
    masked}] (`digest`: SHA-256 of the text as it is kept; `masked`: that is not the whole text); of a pod's container `lookedUp`:
    {namespace, name, pod ("namespace/name"), uid, container, containerID, image, serviceAccount ("namespace:name"), owner ("Kind/name"),
    runtimeClass}, as the API said when it began; "" where it said nothing. `continues`: the session before, where that was cut.
    `chaperone`: the namespace that Chaperone runs in (`own`), if any."""
    document: dict[str, Any] = {
        "id": record.session,
        "workload": record.workload,
        "time": rfc3339(record.time + offset),
        "user": record.user,
        "argv": list(command.argv),
        "cwd": command.cwd,
        "node": record.node,
        "apiservers": list(record.apiservers),
        "labels": dict(command.labels),
    }
    if record.policies:
        document["policies"] = [_brought(text, kept) for text, kept in zip(record.policies, command.policies, strict=True)]
    if record.pod or record.container_id:
        document["lookedUp"] = _looked_up(record)
    if record.continues:
        document["continues"] = record.continues
    if own:
        document["chaperone"] = own
    return Row(Kind.SESSION, record.session, record.session, BEGUN, record.time, record.time + offset, document)


def session_governed(session: str, time: int, policies: list[dict[str, Any]], version: int) -> Row:
    """By which policies it is judged: {governedBy [{policy, mode, from, rules, enforced}], governedAt}, the latter a number that
    grows. `time`: of its beginning, wall-clock ns."""
    return Row(Kind.SESSION, session, session, KNOWN, version, time, {"governedBy": policies, "governedAt": version})


def _brought(text: str, kept: MaskedText) -> dict[str, Any]:
    return {"text": kept, "digest": hashlib.sha256(kept.encode(errors="surrogatepass")).hexdigest(), "masked": text != kept}


def _looked_up(record: SessionStarted) -> dict[str, str]:
    return {
        "namespace": record.namespace,
        "name": record.pod,
        "pod": f"{record.namespace}/{record.pod}" if record.pod else "",
        "uid": record.pod_uid,
        "container": record.container,
        "containerID": record.container_id,
        "image": record.image,
        "serviceAccount": f"{record.namespace}:{record.service_account}" if record.service_account else "",
        "owner": record.owner,
        "runtimeClass": record.runtime_class,
    }


def session_over(record: SessionEnded, offset: int) -> Row:
    """Its end: {ended, status}; where it was cut also {cut: why, goesOn: the next session}."""
    document = _end(record, offset) | ({"cut": record.cut, "goesOn": record.goes_on} if record.cut else {})
    return Row(Kind.SESSION, record.session, record.session, OVER, record.time, record.time + offset, document)


def process_seen(process: MaskedProcess, offset: int) -> Row:
    """A process, or what became of it by exec."""
    time = process.time + offset
    document = process_document(process, offset)
    return Row(Kind.PROCESS, process.session, process.process, BEGUN, process.time, time, document, process=process.process)


def process_over(record: ProcessEnded, session: str, offset: int) -> Row:
    """Its end: {id, ended, status}."""
    document = {"id": record.process} | _end(record, offset)
    time = record.time + offset
    return Row(Kind.PROCESS, session, record.process, OVER, record.time, time, document, process=record.process)


def stream_begun(record: StreamOpened, offset: int) -> Row:
    """A stream: {id, session, process, time, library, handle}."""
    document = {
        "id": record.stream,
        "session": record.session,
        "process": record.process,
        "time": rfc3339(record.time + offset),
        "library": record.library,
        "handle": record.handle,
    }
    time = record.time + offset
    return Row(Kind.STREAM, record.session, record.stream, BEGUN, 0, time, document, record.stream, record.process)


def stream_bound(record: Bound, session: str, offset: int) -> Row:
    """Its connection: {id, cookie, local, remote}."""
    document = {"id": record.stream, "cookie": record.cookie, "local": record.local, "remote": record.remote}
    return Row(Kind.STREAM, session, record.stream, KNOWN, record.time, record.time + offset, document, stream=record.stream)


def stream_over(record: StreamClosed, session: str, offset: int) -> Row:
    """Its end: {id, ended, bytes}."""
    size = {"out": record.out_position, "in": record.in_position}
    document = {"id": record.stream, "ended": rfc3339(record.time + offset), "bytes": size}
    return Row(Kind.STREAM, session, record.stream, OVER, 0, record.time + offset, document, stream=record.stream)


def hole(found: Hole, session: str, offset: int) -> Row:
    """{stream, session, time, direction, position, size, cause, complete}."""
    document = {
        "stream": found.stream,
        "session": session,
        "time": rfc3339(found.time + offset),
        "direction": found.direction,
        "position": found.position,
        "size": found.size,
        "cause": found.cause,
        "complete": found.known,
    }
    kind, time = Kind.LOSS if found.lost else Kind.GAP, found.time + offset
    return Row(
        kind, session, f"{found.stream}/{found.direction}/{found.position}", BEGUN, found.position, time, document, stream=found.stream
    )


def note(record: Note, text: MaskedText, offset: int) -> Row:
    """{session, time, subject, text, complete}. The same note at the same boot time is the same."""
    document = {
        "session": record.session,
        "time": rfc3339(record.time + offset),
        "subject": record.subject,
        "text": text,
        "complete": record.complete,
    }
    id_ = hashlib.blake2b(f"{record.time}\0{record.subject}\0{text}".encode(errors="replace"), digest_size=16).hexdigest()
    return Row(Kind.NOTE, record.session, id_, BEGUN, record.time, record.time + offset, document)


def hold(record: Hold, session: str, offset: int) -> Row:
    """{id, stream, direction, position, size, time}."""
    document = {
        "id": record.hold,
        "stream": record.stream,
        "direction": record.direction.name.lower(),
        "position": record.position,
        "size": record.size,
        "time": rfc3339(record.time + offset),
    }
    return Row(Kind.HOLD, session, record.hold, BEGUN, record.position, record.time + offset, document, stream=record.stream)


def outcome(record: Outcome, offset: int) -> Row:
    """{id, order, result, digest, time}; it is found by its hold's id."""
    document = {
        "id": record.hold,
        "order": record.order,
        "result": record.result,
        "digest": record.digest.hex(),
        "time": rfc3339(record.time + offset),
    }
    return Row(Kind.OUTCOME, "", record.hold, OVER, record.time, record.time + offset, document)


def _end(record: SessionEnded | ProcessEnded, offset: int) -> dict[str, Any]:
    return {"ended": rfc3339(record.time + offset), "status": record.status}
