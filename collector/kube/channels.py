"""Channel events of an upgraded exchange to pieces: exec, attach, port-forward, log, watch."""

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.wire.events import Event, Upgraded


class Channels:
    """The channels of one upgraded exchange."""

    def __init__(self, upgraded: Upgraded, request_uri: str) -> None:
        self.upgraded = upgraded
        self.request_uri = request_uri
        self.exit: Exit | None = None

    def take(self, news: tuple[Event, ...]) -> list[Piece]:
        """The pieces that `news` brings."""
        return []
