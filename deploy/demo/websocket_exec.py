"""`pods/exec` over WebSocket, v5.channel.k8s.io: a scripted command, its streams and its exit status."""

import asyncio
import base64
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from asked import Asked
from wire_log import Wire
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping

UPGRADE = (b"upgrade", b"websocket")
PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PAUSE_S = 0.1
ENVIRONMENT = b"HOME=/root\nDB_USER=admin\nDB_PASSWORD=s3cr3t-Pa55w0rd\n"


def is_exec(asked: Asked) -> bool:
    """A WebSocket upgrade of a pod's exec that offers our protocol."""
    offered = asked.header("sec-websocket-protocol")
    return asked.path.endswith("/exec") and asked.header("upgrade").lower() == "websocket" and PROTOCOL in offered


@dataclass
class Session:
    """A WebSocket and what its client typed. `typed` ends with None when stdin is closed."""

    wire: Wire
    socket: Connection
    typed: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    message: bytearray = field(default_factory=bytearray)  # as far as it came: a v5 server joins fragments

    async def say(self, channel: int, data: bytes) -> None:
        """Send bytes of one channel."""
        await self.wire.write(self.socket.send(BytesMessage(data=bytes([channel]) + data)))

    async def lines(self) -> AsyncIterator[bytes]:
        """What is typed, as it comes."""
        while (data := await self.typed.get()) is not None:
            yield data


async def serve(wire: Wire, asked: Asked, behind: bytes) -> None:
    """Upgrade, run the command, tell its status, close."""
    await wire.write(switching(asked.header("sec-websocket-key"), PROTOCOL))
    session = Session(wire, Connection(ConnectionType.SERVER, trailing_data=behind))
    listening = asyncio.create_task(_listen(session))
    try:
        code = await _run(session, asked.query.get("command", []))
        await session.say(ERROR, _status(code))
        await wire.write(session.socket.send(CloseConnection(code=1000)))
        await asyncio.wait_for(listening, 2)
    except (TimeoutError, ConnectionError):
        listening.cancel()


def switching(key: str, protocol: str) -> bytes:
    """What agrees to a WebSocket."""
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()  # RFC 6455 §4.2.2
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Protocol: {protocol}", "", ""]).encode()


async def _listen(session: Session) -> None:
    """Until the client closes: channel 0 is stdin, `ff 00` its end."""
    data = b""
    while True:
        session.socket.receive_data(data)
        for event in session.socket.events():
            if isinstance(event, CloseConnection):
                session.typed.put_nowait(None)
                return
            await _heard(session, event)
        if not (data := await session.wire.read()):
            session.typed.put_nowait(None)
            return


async def _heard(session: Session, event: object) -> None:
    if isinstance(event, Ping):
        await session.wire.write(session.socket.send(event.response()))
    if isinstance(event, BytesMessage):
        session.message += event.data
        if not (event.message_finished and session.message):
            return
        channel, data = session.message[0], bytes(session.message[1:])
        session.message.clear()
        if channel == STDIN:
            session.typed.put_nowait(data)
        elif channel == CLOSE and data == bytes([STDIN]):
            session.typed.put_nowait(None)


async def _run(session: Session, command: list[str]) -> int:
    """`cat` echoes, `env` prints a planted password, `tar` packs one file and unpacks nothing (kubectl cp), all else says out and err
    and ends with 3."""
    if command[:1] == ["cat"]:
        async for data in session.lines():
            await session.say(STDOUT, data)
        return 0
    if command[:1] == ["env"]:
        await session.say(STDOUT, ENVIRONMENT)
        return 0
    if command[:1] == ["tar"]:
        return await _tar(session, command)
    for channel, text in ((STDOUT, b"out\n"), (STDERR, b"err\n")):
        await session.say(channel, text)
        await asyncio.sleep(PAUSE_S)
    return 3


async def _tar(session: Session, command: list[str]) -> int:
    if command[1] == "cf":
        await session.say(STDOUT, _packed(command[-1]))
        return 0
    async for _ in session.lines():
        continue
    return 0


def _packed(path: str) -> bytes:
    """One file of that name."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size = len(ENVIRONMENT)
        tar.addfile(entry, io.BytesIO(ENVIRONMENT))
    return archive.getvalue()


def _status(code: int) -> bytes:
    """As the kubelet writes it on channel 3."""
    if not code:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    details = {"causes": [{"reason": "ExitCode", "message": str(code)}]}
    message = f"command terminated with exit code {code}"
    return json.dumps({"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode", "details": details}).encode()
