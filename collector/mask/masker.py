"""The gate: Call, NotKubernetes and ProcessSeen in, their masked forms out."""

from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.mask.masked import MaskedCall, MaskedExchange, MaskedProcess, MaskedText
from chaperone.proto.records import ProcessSeen


class Masker:
    """Masks with one key per installation. Keeps a bounded tail of open streaming calls, nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def call(self, call: Call) -> MaskedCall:
        """A call without its secrets."""
        raise NotImplementedError

    def exchange(self, exchange: NotKubernetes) -> MaskedExchange:
        """An exchange of something else without its secrets."""
        raise NotImplementedError

    def process(self, process: ProcessSeen) -> MaskedProcess:
        """A process whose command line has no secret."""
        raise NotImplementedError

    def argv(self, argv: tuple[str, ...]) -> tuple[MaskedText, ...]:
        """A command line without its secrets: also the session's own."""
        raise NotImplementedError

    def text(self, text: str) -> MaskedText:
        """Any other text without its secrets."""
        raise NotImplementedError
