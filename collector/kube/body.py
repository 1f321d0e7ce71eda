"""Body bytes → Body: the Content-Type alone says how to read them.

`Gatherer` takes a body's chunks, keeps them (content coding off) where the form needs the whole, and reads them once,
at the end; an answer that is a large list is not read here at all (forms/many.py).
A body of unknown form is only counted. Passing a limit drops what was kept and is said.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from chaperone.collector.kube.call import Body, Call, Form
from chaperone.collector.kube.forms.cbor import parse_cbor
from chaperone.collector.kube.forms.json_text import parse_json
from chaperone.collector.kube.forms.many import Many, is_large, many
from chaperone.collector.kube.forms.parsed import Parsed, UnreadableError
from chaperone.collector.kube.forms.yaml_text import parse_yaml
from chaperone.collector.kube.protobuf import Message, envelope, unwrap
from chaperone.collector.kube.schema import type_of
from chaperone.collector.wire.coding import Decoder

BODY_LIMIT = 128 * 1024 * 1024  # decoded bytes of one body
STREAM_LIMIT = 256 * 1024 * 1024  # decoded bytes of all open bodies of one stream
EVENT_LIMIT = 16 * 1024 * 1024  # bytes of one watch event

_FORMS = {
    "application/json": Form.JSON,
    "text/json": Form.JSON,
    "application/yaml": Form.YAML,
    "application/x-yaml": Form.YAML,
    "text/yaml": Form.YAML,
    "text/x-yaml": Form.YAML,
    "application/vnd.kubernetes.protobuf": Form.PROTOBUF,
    "application/cbor": Form.CBOR,
    "application/cbor-seq": Form.CBOR,
}
_SUFFIXES = {"json": Form.JSON, "yaml": Form.YAML, "cbor": Form.CBOR}
_NOT_OBJECTS = re.compile(r"application/(com\.github\.proto-openapi|octet-stream)|(image|audio|video|font)/")
UNKNOWN_TYPE = "an unknown media type"


@dataclass(frozen=True, slots=True)
class Kind:
    """What an object says it is, or the URL says for it."""

    kind: str = ""
    api_version: str = ""


@dataclass(slots=True)
class Budget:
    """Bytes that all open bodies of a stream may still keep."""

    left: int = STREAM_LIMIT


@lru_cache(maxsize=256)
def form_of(media_type: str) -> tuple[Form, str]:
    """The form of a Content-Type, and why it is ambiguous."""
    base = media_type.partition(";")[0].strip().lower()
    if form := _FORMS.get(base) or _SUFFIXES.get(base.rpartition("+")[2] if "+" in base else ""):
        return form, ""
    if base.startswith("text/"):
        return Form.TEXT, ""
    return Form.BINARY, "" if _NOT_OBJECTS.match(base) else UNKNOWN_TYPE


class Gatherer:
    """One body on its way. `kept` is False once nothing of it is."""

    def __init__(self, media_type: str, encoding: str | None, budget: Budget, foreign: bool = False) -> None:
        """`foreign`: a proxied backend's body, which may be of any type."""
        self.media_type = media_type
        self.form, reason = form_of(media_type)
        self.ambiguous = [reason] if reason and not foreign else []
        self.kept = self.form is not Form.BINARY
        self.size = 0
        self.wire_size = 0
        self.missing = False
        self._budget = budget
        self._decoder = Decoder(encoding, BODY_LIMIT)
        self._chunks: list[bytes | memoryview] = []

    def add(self, data: bytes | memoryview) -> None:
        """The next bytes of the body."""
        self.wire_size += len(data)
        decoded = self._decoder.feed(data)
        self.size += len(decoded)
        if not self.kept or not decoded:
            return
        if self._decoder.problem:
            self._give_up(self._decoder.problem)
            return
        if len(decoded) > self._budget.left:
            self._give_up(f"bodies of over {STREAM_LIMIT} bytes at once")
            return
        self._budget.left -= len(decoded)
        self._chunks.append(decoded)

    def lose(self) -> None:
        """Bytes in the middle are missing."""
        self.missing = True

    def finish(self, complete: bool, kind: Kind) -> Body:
        """The body, read. `kind`: what the URL says, for one that does not."""
        problem = self._decoder.finish()
        complete = complete and not self.missing
        if problem and self.kept and complete:
            self.ambiguous.append(problem)
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self.release()
        raw = self._body(bytes(data), complete and not problem, kind)
        return read_body(raw) if self.kept and raw.complete else raw

    def begun(self, kind: Kind) -> Body:
        """Of a body on its way only that it is: what it says can't be known."""
        return self._body(b"", False, kind)

    def answer(self, complete: bool) -> Body:
        """As `finish`, but a large list of objects is left as it came: its items are read by whoever needs them."""
        problem = self._decoder.finish()
        if problem or self.missing or not complete or self.ambiguous or self.form is not Form.JSON or not is_large(self.size):
            return self.finish(complete, Kind())
        if (found := many(self._chunks) if self.kept else None) is None:
            return self.finish(complete, Kind())
        self.release()
        return replace(self._body(b"", True, Kind(found.kind, found.api_version)), object=found)

    def release(self) -> None:
        """Give the kept bytes up."""
        self._budget.left += sum(len(chunk) for chunk in self._chunks)
        self._chunks.clear()

    def saved(self) -> dict[str, Any] | None:
        """State of msgpack types, None in the middle of a coding."""
        if self._decoder.coding != "identity":
            return None
        names = ("media_type", "size", "wire_size", "missing", "kept", "ambiguous")
        return {name: getattr(self, name) for name in names} | {"data": b"".join(self._chunks)}

    @classmethod
    def restore(cls, saved: dict[str, Any], budget: Budget) -> Self:
        """A body that goes on where it was saved."""
        body = cls(saved["media_type"], None, budget)
        body.add(saved["data"])
        for name in ("size", "wire_size", "missing", "kept"):
            setattr(body, name, saved[name])
        body.ambiguous = list(saved["ambiguous"])
        return body

    def _give_up(self, reason: str) -> None:
        self.kept = False
        self.ambiguous.append(reason)
        self.release()

    def _body(self, data: bytes, complete: bool, kind: Kind) -> Body:
        return Body(
            self.form, self.media_type, self.size, self.wire_size, complete, data, None, kind.kind, kind.api_version, tuple(self.ambiguous)
        )


def read_body(raw: Body) -> Body:
    """A body whose bytes are all there, with its object; BINARY when they are not what they say."""
    if raw.form is Form.TEXT and raw.data[:1] != b"{":
        return raw
    if not raw.data:
        return raw
    try:
        parsed = _PARSERS[raw.form](raw.data)
    except UnreadableError as error:
        if raw.form is Form.TEXT:
            return raw
        return _with(raw, Form.BINARY, Parsed(None, (str(error),)), Kind(raw.kind, raw.api_version))
    form = Form.JSON if raw.form is Form.TEXT else raw.form
    return _with(raw, form, parsed, _kind(parsed.value, raw))


def read_whole(call: Call) -> Call:
    """The call with its answer read as any other, where that is a list that was left as it came, and with what this brought to light."""
    body = call.response_body
    if body is None or not isinstance(body.object, Many):
        return call
    whole = read_body(replace(body, data=body.object.joined(), object=None, kind="", api_version=""))
    return replace(call, response_body=whole, ambiguous=tuple(dict.fromkeys(call.ambiguous + whole.ambiguous)))


def read_event(form: Form, media_type: str, data: bytes) -> Body:
    """One event of a watch; kind and apiVersion are its object's."""
    raw = Body(form, media_type, len(data), len(data), True, data)
    try:
        if form is Form.PROTOBUF:
            return _protobuf_event(raw)
        parsed = _PARSERS[form](data)
    except UnreadableError as error:
        return _with(raw, Form.BINARY, Parsed(None, (str(error),)), Kind())
    inner = parsed.value.get("object") if isinstance(parsed.value, dict) else None
    return _with(raw, form, parsed, _kind(inner, raw))


def _protobuf_event(raw: Body) -> Body:
    event = Message(raw.data, "WatchEvent")
    inner = event.at(2)
    held = inner.get(1) if inner else None
    unknown = envelope(held.value) if held and not isinstance(held.value, int) else None
    if unknown is None:
        raise UnreadableError("a watch event without an enveloped object")
    api_version, kind, _ = unwrap(unknown)
    return _with(raw, Form.PROTOBUF, Parsed(event), Kind(kind, api_version))


def _protobuf(data: bytes | memoryview) -> Parsed:
    unknown = envelope(data)
    if unknown is None or unknown.broken:
        raise UnreadableError("not in Kubernetes' protobuf envelope")
    message = unwrap(unknown)[2]
    if message.broken:
        raise UnreadableError(f"not protobuf: {message.broken}")
    if unknown.text(3):
        raise UnreadableError("a content coding inside the protobuf envelope")
    return Parsed(message, _repeats(message))


def _repeats(message: Message) -> tuple[str, ...]:
    """Go merges or takes the last; another reader may take the first."""
    slot = type_of(message.type).get(1)
    if slot is None or slot.type != "ObjectMeta":
        return ()
    meta = message.at(1)
    twice = len(message.all(1)) > 1 or any(len(meta.all(number)) > 1 for number in (1, 3) if meta)
    return ("a protobuf field is repeated",) if twice else ()


def _kind(value: Any, raw: Body) -> Kind:
    """As the object says, else as it was known before."""
    if isinstance(value, Message):
        unknown = envelope(raw.data)
        api_version, kind, _ = unwrap(unknown) if unknown else ("", "", None)
    elif isinstance(value, dict):
        kind, api_version = (text if isinstance(text := value.get(key), str) else "" for key in ("kind", "apiVersion"))
    else:
        return Kind(raw.kind, raw.api_version)
    return Kind(kind or raw.kind, api_version or raw.api_version)


def _with(raw: Body, form: Form, parsed: Parsed, kind: Kind) -> Body:
    return Body(
        form,
        raw.media_type,
        raw.size,
        raw.wire_size,
        raw.complete,
        raw.data,
        parsed.value,
        kind.kind,
        kind.api_version,
        tuple(dict.fromkeys(raw.ambiguous + parsed.doubts)),
    )


_PARSERS = {Form.JSON: parse_json, Form.TEXT: parse_json, Form.YAML: parse_yaml, Form.CBOR: parse_cbor, Form.PROTOBUF: _protobuf}
