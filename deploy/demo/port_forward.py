"""`pods/portforward` over WebSocket, SPDY/3.1+portforward.k8s.io: behind each port a server that echoes.

Sources: client-go tools/portforward (an error and a data strand for each connection); the SPDY/3.1 draft §2.
"""

import zlib

from asked import Asked
from websocket_exec import switching
from wire_log import Wire
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping

from chaperone.collector.wire.spdy import DICTIONARY

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
SYN_STREAM, SYN_REPLY, PING = 1, 2, 6
CONTROL, FIN, HEAD = 0x80, 0x01, 8


def is_forward(asked: Asked) -> bool:
    """A WebSocket upgrade of a pod's portforward that offers our protocol."""
    offered = asked.header("sec-websocket-protocol")
    return asked.path.endswith("/portforward") and asked.header("upgrade").lower() == "websocket" and PROTOCOL in offered


async def serve(wire: Wire, asked: Asked, behind: bytes) -> None:
    """Until the client leaves."""
    await wire.write(switching(asked.header("sec-websocket-key"), PROTOCOL))
    socket, tunnel, data = Connection(ConnectionType.SERVER, trailing_data=behind), Tunnel(), b""
    while True:
        socket.receive_data(data)
        for event in socket.events():
            if isinstance(event, CloseConnection):
                return
            if isinstance(event, Ping):
                await wire.write(socket.send(event.response()))
            elif isinstance(event, BytesMessage) and (said := tunnel.take(bytes(event.data))):
                await wire.write(socket.send(BytesMessage(data=said)))
        if not (data := await wire.read()):
            return


class Tunnel:
    """SPDY frames of a client, and what they are answered by."""

    def __init__(self) -> None:
        self._held = b""
        self._inflate, self._deflate = zlib.decompressobj(zdict=DICTIONARY), zlib.compressobj(zdict=DICTIONARY)
        self._errors: dict[str, bytes] = {}  # by connection: its strand for errors
        self._connections: dict[bytes, str] = {}  # of each strand that brings data

    def take(self, data: bytes) -> bytes:
        """Bytes as they came; what is said to them."""
        self._held += data
        said = b""
        while len(self._held) >= HEAD and len(self._held) >= (size := HEAD + int.from_bytes(self._held[5:HEAD], "big")):
            frame, self._held = self._held[:size], self._held[size:]
            said += self._control(frame) if frame[0] & CONTROL else self._echo(frame)
        return said

    def _control(self, frame: bytes) -> bytes:
        kind = int.from_bytes(frame[2:4], "big")
        if kind == SYN_STREAM:
            strand, headers = frame[HEAD : HEAD + 4], _headers(self._inflate.decompress(frame[HEAD + 10 :]))
            if headers["streamtype"] == "error":
                self._errors[headers["requestid"]] = strand
            else:
                self._connections[strand] = headers["requestid"]
            return _reply(strand + self._deflate.compress(bytes(4)) + self._deflate.flush(zlib.Z_SYNC_FLUSH))
        return frame if kind == PING else b""

    def _echo(self, frame: bytes) -> bytes:
        """When a connection's client has said all, it is over on both strands."""
        if frame[:4] not in self._connections:
            return b""
        if not frame[4] & FIN:
            return frame
        error = self._errors[self._connections.pop(frame[:4])]
        return frame + error + bytes([FIN, 0, 0, 0])


def _reply(body: bytes) -> bytes:
    return bytes([CONTROL, 3]) + SYN_REPLY.to_bytes(2, "big") + len(body).to_bytes(4, "big") + body


def _headers(block: bytes) -> dict[str, str]:
    words, at = [], 4
    while at < len(block):
        size = int.from_bytes(block[at : at + 4], "big")
        words.append(block[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return dict(zip(words[::2], words[1::2], strict=True))
