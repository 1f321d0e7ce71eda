"""By its content type, how an answer's secrets are found. What cannot be read in part is not delivered."""

from collections.abc import Mapping
from functools import partial

from chaperone.collector.kube.body import form_of
from chaperone.collector.kube.call import Form
from chaperone.collector.mask.inline import protobuf_spans, yaml_spans
from chaperone.collector.mask.inline.json_spans import JsonSpans
from chaperone.collector.mask.inline.whole import WholeSpans
from chaperone.collector.wire.compose.spans import Fill, Scanner, Span

SECRET: Mapping[str, Fill] = {"data": Fill.BASE64, "stringData": Fill.STARS}
OTHER: Mapping[str, Fill] = {"data": Fill.STARS, "binaryData": Fill.BASE64}
TOKEN: Mapping[str, Fill] = {}  # its one secret has a name
NAMED = ("token",)


def fields_of(resource: str, subresource: str) -> Mapping[str, Fill]:
    """What is secret in answers about a resource."""
    if subresource == "token":
        return TOKEN
    return SECRET if resource == "secrets" else OTHER


def scanner(fields: Mapping[str, Fill], content_type: str) -> Scanner:
    """Of one body."""
    form, _ = form_of(content_type)
    if form is Form.JSON:
        return JsonSpans(fields, NAMED if fields is TOKEN else ())
    if form is Form.PROTOBUF and fields is not TOKEN:
        is_stream = "stream=watch" in content_type.replace(" ", "")
        return WholeSpans(protobuf_spans.event_spans if is_stream else protobuf_spans.body_spans, is_stream)
    if form is Form.YAML:
        return WholeSpans(partial(yaml_spans.body_spans, fields=fields))
    return WholeSpans(_unknown)


def _unknown(_data: bytes) -> list[Span]:
    raise ValueError("secrets of this content type cannot be told")
