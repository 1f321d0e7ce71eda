"""What rules said of one event, for those who act on it (orders, alerts): a value without unmasked data."""

from dataclasses import dataclass, field

from chaperone.collector.rules.event import Document, Event
from chaperone.collector.rules.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """`verdicts`: strictest first; none when no rule matched, which is a word too: what is held may go on.

    `event.document` is the masked call (store/document.py), `event.session` its session's document, `process` its process's.
    `position`: OUT position of the request's first byte on `stream` ("" for a connection). `at`: the position behind what was
    judged: in OUT bytes at REQUEST (the request is whole), in IN bytes at RESPONSE and END, of a piece where it began.
    """

    event: Event
    verdicts: tuple[Verdict, ...]
    stream: str
    position: int
    at: int
    process: Document = field(default_factory=dict, repr=False)
