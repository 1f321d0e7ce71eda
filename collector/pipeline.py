"""The only module that knows all the others: records in, masked rows out."""

from typing import Protocol

from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.mask.masked import MaskedCall, MaskedExchange, MaskedProcess, MaskedText
from chaperone.collector.store.rows import Sink
from chaperone.proto.records import ProcessSeen, Record


class Gate(Protocol):
    """mask.masker.Masker, or mask.reveal.Revealer for `decode --reveal`."""

    def call(self, call: Call) -> MaskedCall:
        """A call without its secrets."""
        ...

    def exchange(self, exchange: NotKubernetes) -> MaskedExchange:
        """An exchange of something else without its secrets."""
        ...

    def process(self, process: ProcessSeen) -> MaskedProcess:
        """A process without its secrets."""
        ...

    def argv(self, argv: tuple[str, ...]) -> tuple[MaskedText, ...]:
        """A command line without its secrets."""
        ...

    def text(self, text: str) -> MaskedText:
        """Any other text without its secrets."""
        ...


class Pipeline:
    """Takes records in order; rows come out at `sink` (a list will do)."""

    def __init__(self, gate: Gate, sink: Sink) -> None:
        self._gate = gate
        self._sink = sink

    def take(self, record: Record, wall_offset: int) -> None:
        """One record; `wall_offset` is wall clock minus boot clock in ns."""
