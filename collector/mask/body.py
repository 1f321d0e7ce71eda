"""Bodies: each form in its own way, and what cannot be understood as a whole: a stand-in for all of it."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import yaml

from chaperone.collector.kube.call import Body, Form, RequestInfo
from chaperone.collector.kube.forms.many import Many
from chaperone.collector.mask.binary import view
from chaperone.collector.mask.fields import Fields
from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.many import mask_many
from chaperone.collector.mask.masked import Masked, MaskedBody
from chaperone.collector.mask.masking import BUILT_IN, Masking
from chaperone.collector.mask.patterns import compiled
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.tree import Beyond, Trees

SECRET_KINDS = frozenset(("Secret", "SecretList", "TokenRequest", "TokenReview"))

_ESCAPED_ASCII = compiled(rb"(?i)\\u00[2-7]")
_ESCAPED_HTML = compiled(rb"(?i)\\u00(?:3c|3e|26|27|22|5c|7f)")


class Bodies:
    """Masks bodies under one key."""

    def __init__(self, texts: Texts, fingerprint: Fingerprint, masking: Masking = BUILT_IN) -> None:
        self._texts = texts
        self._fields = Fields(masking.fields, fingerprint, texts.learn)
        self._fingerprint = fingerprint
        self._trees = Trees(texts, fingerprint)
        self._by_form: dict[Form, Callable[[Body, bool], bytes]] = {
            Form.JSON: self._json,
            Form.YAML: self._yaml,
            Form.CBOR: self._cbor,
            Form.PROTOBUF: self._protobuf,
            Form.TEXT: self._text,
            Form.BINARY: self._whole,
        }

    def mask(self, body: Body, secret: bool) -> MaskedBody:
        """A body without its secrets. `secret`: the URL says that it holds some."""
        secret = secret or body.kind in SECRET_KINDS
        try:
            data = self._whole(body, secret) if body.ambiguous else self._by_form[body.form](body, secret)
        except (Beyond, RecursionError):
            data = self._whole(body, secret)
        return masked_body(body, data)

    def many(self, body: Body, secret: bool) -> MaskedBody | None:
        """A large list without its secrets; None for any other body, and where it has to be read as a whole."""
        if not isinstance(body.object, Many) or (self._fields.any and self._fields.may_be_in(body.object.joined())):
            return None
        data = mask_many(self._trees, body.object, secret or body.kind in SECRET_KINDS)
        return None if data is None else masked_body(body, data)

    def _json(self, body: Body, secret: bool) -> bytes:
        if body.object is None and body.data.strip() != b"null":
            return self._broken(body, secret)
        if not secret and not self._texts.may_hold_secrets(body.data) and not self._fields.may_be_in(body.data):
            return body.data
        masked = self._masked(body.object, body.kind, secret)
        return body.data if masked is body.object else _dumped(masked, body.data)

    def _yaml(self, body: Body, secret: bool) -> bytes:
        if body.object is None:
            return self._broken(body, secret)
        masked = self._masked(body.object, body.kind, secret)
        if masked is body.object:
            return body.data
        if body.data.lstrip()[:1] in (b"{", b"["):
            return _dumped(masked, body.data)
        return yaml.safe_dump(masked, sort_keys=False, allow_unicode=True).encode()

    def _cbor(self, body: Body, secret: bool) -> bytes:
        return self._whole(body, secret) if body.object is None else self._as_json(body.object, body.kind, secret)

    def _protobuf(self, body: Body, secret: bool) -> bytes:
        found = view(body)
        return self._whole(body, secret) if found is None else self._as_json(found, body.kind, secret)

    def _as_json(self, found: Any, kind: str, secret: bool) -> bytes:
        written = _dumped(found, b"")
        if not secret and not self._texts.may_hold_secrets(written) and not self._fields.may_be_in(written):
            return written
        return _dumped(self._masked(found, kind, secret), b"")

    def _masked(self, found: Any, kind: str, secret: bool) -> Any:
        return self._trees.mask(self._fields.mask(found, kind), secret)

    def _broken(self, body: Body, secret: bool) -> bytes:
        """Escapes of plain ASCII would hide a secret from the patterns."""
        hidden = len(_ESCAPED_ASCII.findall(body.data)) > len(_ESCAPED_HTML.findall(body.data))
        hidden = hidden or self._fields.may_be_in(body.data)
        return self._whole(body, secret) if secret or hidden else self._texts.mask(body.data)

    def _text(self, body: Body, secret: bool) -> bytes:
        return self._whole(body, secret) if secret else self._texts.mask(body.data)

    def _whole(self, body: Body, secret: bool) -> bytes:
        masked = self._fingerprint.mask(bytes(body.data))
        return b'"%s"' % masked if masked and body.form is not Form.TEXT else masked


def holds_secrets(info: RequestInfo) -> bool:
    """Whether the URL alone says that bodies hold secrets (kubernetes-wire: a patch names no kind)."""
    return info.resource in ("secrets", "tokenreviews") or (info.resource, info.subresource) == ("serviceaccounts", "token")


def masked_body(body: Body, data: bytes) -> MaskedBody:
    """The body with this in its place."""
    return MaskedBody(
        form=str(body.form),
        media_type=body.media_type,
        kind=body.kind,
        size=body.size,
        wire_size=body.wire_size,
        complete=body.complete,
        masked=data.count(b"~masked-") if b"~" in data else 0,  # one byte is looked for far faster
        data=Masked(data),
    )


def _dumped(value: Any, original: bytes) -> bytes:
    """JSON laid out as the original was: indented for curl and browsers, with its final newline."""
    layout = (orjson.OPT_INDENT_2 if original[:3].rstrip(b" ") in (b"{\n", b"[\n") else 0) | orjson.OPT_NON_STR_KEYS
    ending = b"\n" if original.endswith(b"\n") else b""
    try:
        return orjson.dumps(value, option=layout, default=str) + ending
    except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "backslashreplace") + ending
