"""Secret scalars of a YAML body, in their places in the text."""

from collections.abc import Iterator, Mapping

import yaml

from chaperone.collector.mask.inline.json_spans import APPLIED, BASE64
from chaperone.collector.wire.compose.spans import Fill, Span

DEEPEST = 256


def body_spans(data: bytes, fields: Mapping[str, Fill]) -> list[Span]:
    """ValueError for what cannot be read, or has a secret that goes over lines or has escapes."""
    text = data.decode()
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError):
        raise ValueError("it is no YAML") from None
    return [_in_bytes(span, text, len(data)) for span in _of(root, text, fields, None)] if root else []


def _of(node: yaml.Node, text: str, fields: Mapping[str, Fill], fill: Fill | None, depth: int = 0) -> Iterator[Span]:
    if depth > DEEPEST:
        raise ValueError("it is too deep")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = Fill.STARS if key.value == APPLIED else fields.get(str(key.value)) if isinstance(value, yaml.MappingNode) else None
            yield from _of(value, text, fields, fill or inner, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _of(value, text, fields, fill, depth + 1)
    elif fill and isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        yield from _scalar(node, text, fill)


def _scalar(node: yaml.ScalarNode, text: str, fill: Fill) -> Iterator[Span]:
    quote = 1 if node.style in ("'", '"') else 0
    begin, end = node.start_mark.index + quote, node.end_mark.index - quote
    raw = text[begin:end]
    if raw != node.value or "\n" in raw:
        raise ValueError("a secret over several lines, or with escapes")
    if fill is Fill.BASE64 and (len(raw) % 4 or not BASE64.fullmatch(raw.encode())):
        raise ValueError("a value that is no base64")
    if raw:
        yield Span(begin, end, fill, len(raw) - len(raw.rstrip("=")))


def _in_bytes(span: Span, text: str, size: int) -> Span:
    if len(text) == size:
        return span
    begin = len(text[: span.begin].encode())
    return Span(begin, begin + len(text[span.begin : span.end].encode()), span.fill, span.padding)
