"""Channel events of an upgraded exchange → pieces: exec, attach, port-forward, log and watch, by URL and subprotocol.

What an exchange carries is told by its events: messages (WebSocket), strands (SPDY, also inside WebSocket), or opaque
data. An upgrade that is none of these purposes (a backend behind `proxy`) gives pieces of channel "data".
"""

from collections.abc import Callable, Iterable
from typing import Any

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.upgrade.asked import Asked, Purpose, asked
from chaperone.collector.kube.upgrade.command import Command
from chaperone.collector.kube.upgrade.messages import CommandMessages, LogMessages, PortMessages, WatchMessages
from chaperone.collector.kube.upgrade.pieces import Content, text
from chaperone.collector.kube.upgrade.strands import Strands
from chaperone.collector.wire.events import (
    Closed,
    Data,
    End,
    Event,
    Lost,
    Message,
    StrandData,
    StrandOpened,
    StrandReset,
    Unreadable,
    Upgraded,
)
from chaperone.proto.records import Direction

Take = Callable[[Any], list[Piece]]
SILENT = ("", "channel.k8s.io", "base64.channel.k8s.io")  # version 1: only errors are said (kubelet v1WriteStatusFunc)
NORMAL = 1000  # RFC 6455 §7.4.1


class Channels:
    """The channels of one upgraded exchange."""

    def __init__(self, upgraded: Upgraded, request_uri: str) -> None:
        purpose = asked(request_uri)
        self._command = Command()
        self._strands = Strands(purpose, self._command)
        self._is_command = purpose.purpose is Purpose.COMMAND
        self._is_silent = upgraded.protocol == "websocket" and upgraded.subprotocol in SILENT
        self._takers: dict[type[Event], Take] = {
            Message: _messages(purpose, upgraded.subprotocol, self._command),
            StrandOpened: self._strands.open,
            StrandData: self._strands.take,
            StrandReset: self._strands.take,
            Data: _opaque,
            Lost: self._gap,
            Unreadable: self._gap,
            Closed: self._closed,
            End: self._end,
        }

    @property
    def exit(self) -> Exit | None:
        """How the command of an exec or attach ended; None while it may go on, and for anything else."""
        return self._command.exit if self._is_command else None

    def take(self, news: Iterable[Event]) -> list[Piece]:
        """The pieces that `news` brings, in order."""
        return [piece for event in news if type(event) in self._takers for piece in self._takers[type(event)](event)]

    def _gap(self, event: Lost | Unreadable) -> list[Piece]:
        """Only the client opens strands: where its bytes are missing, openings may be."""
        if event.direction is not Direction.OUT:
            self._command.miss()
            return []
        self._strands.blind = True
        return self._strands.settle()

    def _closed(self, event: Closed) -> list[Piece]:
        if self._is_silent and event.direction is Direction.IN and event.code == NORMAL:
            self._command.silence()
        return []

    def _end(self, event: End) -> list[Piece]:
        if event.direction is not Direction.IN:
            return []
        return [*self._strands.settle(), *self._command.close()]


def _messages(purpose: Asked, subprotocol: str, command: Command) -> Take:
    if purpose.purpose is Purpose.COMMAND:
        return CommandMessages(subprotocol, command).take
    if purpose.purpose is Purpose.PORTS:
        return PortMessages(subprotocol, purpose.ports).take
    if purpose.purpose is Purpose.WATCH:
        return WatchMessages().take
    return LogMessages(subprotocol, "log" if purpose.purpose is Purpose.LOG else "data").take


def _opaque(event: Data) -> list[Piece]:
    return [text("data", Content(event, bytes(event.data)))] if event.data else []
