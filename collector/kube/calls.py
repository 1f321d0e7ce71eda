"""Exchanges of one stream → calls: bodies gathered where something needs them, streams cut into pieces."""

from chaperone.collector.kube.call import Call, NotKubernetes
from chaperone.collector.wire.exchange import Exchange


class Calls:
    """The calls of one stream."""

    def __init__(self, apiservers: frozenset[str] = frozenset()) -> None:
        self.apiservers = apiservers

    def take(self, exchange: Exchange) -> Call | NotKubernetes | None:
        """What `exchange` now is; None when nothing is to be reported."""
        return None
