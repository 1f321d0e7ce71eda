"""WebSocket messages of each purpose → pieces."""

from dataclasses import replace

from chaperone.collector.kube.body import EVENT_LIMIT, read_event
from chaperone.collector.kube.call import Body, Form, Piece
from chaperone.collector.kube.upgrade.coding import Coding
from chaperone.collector.kube.upgrade.command import Command
from chaperone.collector.kube.upgrade.pieces import NO_CHANNEL, Content, piece, text
from chaperone.collector.wire.events import Message
from chaperone.proto.records import Direction

PORT_SIZE = 2  # bytes of the first message on each channel of a port-forward


class CommandMessages:
    """exec and attach: the first byte is the channel."""

    def __init__(self, subprotocol: str, command: Command) -> None:
        self._coding = Coding(subprotocol, channels=True)
        self._command = command

    def take(self, message: Message) -> list[Piece]:
        """The pieces of one message."""
        channel, content = self._coding.read(message)
        return self._command.numbered(channel, content, message.final)


class PortMessages:
    """The older port-forward: channel 2i is the i-th port's data, 2i+1 its errors (kubelet portforward/websocket.go)."""

    def __init__(self, subprotocol: str, ports: tuple[int, ...]) -> None:
        self._coding = Coding(subprotocol, channels=True)
        self._ports = dict(enumerate(ports))
        self._begun: set[int] = set()

    def take(self, message: Message) -> list[Piece]:
        """The pieces of one message; the server's first on each channel only says the port, little-endian."""
        channel, content = self._coding.read(message)
        if channel is None:
            hidden = replace(content, doubts=(*content.doubts, NO_CHANNEL))
            return [text("unknown", hidden)] if content.data else []
        if message.direction is Direction.IN and self._begins(channel, content.data):
            return []
        return [text(self._name(channel), content)] if content.data else []

    def _begins(self, channel: int, data: bytes) -> bool:
        if channel in self._begun:
            return False
        self._begun.add(channel)
        if len(data) == PORT_SIZE:
            self._ports.setdefault(channel // 2, int.from_bytes(data, "little"))
        return len(data) == PORT_SIZE

    def _name(self, channel: int) -> str:
        index = channel // 2
        port = self._ports.get(index)
        same = sum(1 for before in range(index) if self._ports.get(before) == port)
        return f"port/{'?' if port is None else port}/{same}" + ("/error" if channel % 2 else "")


class LogMessages:
    """A log: subprotocol none, binary.k8s.io or base64.binary.k8s.io; no channels."""

    def __init__(self, subprotocol: str, channel: str = "log") -> None:
        self._coding = Coding(subprotocol, channels=False)
        self._channel = channel

    def take(self, message: Message) -> list[Piece]:
        """The pieces of one message."""
        _, content = self._coding.read(message)
        return [text(self._channel, content)] if content.data else []


class WatchMessages:
    """A watch: each message is one event (apiserver pkg/endpoints/handlers/watch.go, HandleWS)."""

    def __init__(self) -> None:
        self._held = b""
        self._whole = True

    def take(self, message: Message) -> list[Piece]:
        """The event that is whole now."""
        if message.direction is not Direction.IN:
            return [text("unknown", Content(message, message.data))] if message.data else []
        if message.offset == 0:
            self._held, self._whole = b"", True
        self._whole = self._whole and message.offset == len(self._held) and message.offset + len(message.data) <= EVENT_LIMIT
        if self._whole:
            self._held += message.data
        if not message.final or not self._held:
            return []
        held, self._held = self._held, b""
        return [piece("event", _event(held, message, self._whole), message)]


def _event(data: bytes, message: Message, whole: bool) -> Body:
    form = Form.JSON if message.text or data[:1] == b"{" else Form.PROTOBUF if data[:1] == b"\x0a" else Form.CBOR
    return read_event(form, "", data) if whole else Body(form, "", len(data), len(data), False, data)
