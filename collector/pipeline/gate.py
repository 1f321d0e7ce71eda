"""What the pipeline needs of masking: everything that leaves a stream goes through one of these."""

from collections.abc import Iterable
from typing import Any, Protocol

from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.mask.known import Known
from chaperone.collector.mask.masked import MaskedCall, MaskedExchange, MaskedPiece, MaskedProcess, MaskedText
from chaperone.collector.mask.taint import Taint
from chaperone.proto.ids import StreamId
from chaperone.proto.records import ProcessSeen


class Gate(Protocol):
    """mask.masker.Masker, or mask.reveal.Revealer for `decode --reveal`. One for all calls of one stream."""

    @property
    def taint(self) -> Taint:
        """Looks for known secrets in what is sent."""
        ...

    def share(self, known: Known, stream: StreamId) -> None:
        """Know the secrets of a session, and add to them those of this stream."""
        ...

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

    def held_back(self) -> Iterable[tuple[int, MaskedPiece]]:
        """What channels were sent and no piece has told yet, by the position of its call: as the pieces that it would be now."""
        ...

    def mark(self) -> Any:
        """What it holds back of streaming calls, of msgpack types only."""
        ...

    def go_on(self, mark: Any) -> None:
        """Continue where another gate was marked."""
        ...

    def text(self, text: str) -> MaskedText:
        """Any other text without its secrets."""
        ...

    def named(self, path: str) -> MaskedText:
        """A path of names such as namespace/name:key, each without a secret."""
        ...
