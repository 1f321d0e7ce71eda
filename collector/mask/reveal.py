"""The same values with nothing masked: for `decode --reveal` only, which prints and never stores."""

from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.mask.masked import MaskedCall, MaskedExchange, MaskedProcess, MaskedText
from chaperone.proto.records import ProcessSeen


class Revealer:
    """Takes Masker's place where a user asked to see their own captures in clear."""

    def call(self, call: Call) -> MaskedCall:
        """The call as it is."""
        raise NotImplementedError

    def exchange(self, exchange: NotKubernetes) -> MaskedExchange:
        """The exchange as it is."""
        raise NotImplementedError

    def process(self, process: ProcessSeen) -> MaskedProcess:
        """The process as it is."""
        raise NotImplementedError

    def argv(self, argv: tuple[str, ...]) -> tuple[MaskedText, ...]:
        """The command line as it is."""
        raise NotImplementedError

    def text(self, text: str) -> MaskedText:
        """The text as it is."""
        raise NotImplementedError
