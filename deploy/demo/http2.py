"""HTTP/2 as the apiserver speaks it: its SETTINGS, many h2 streams at once, flow control."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from asked import Answer, Asked, Upload
from h2.settings import SettingCodes, Settings
from wire_log import Wire

# As recorded of kube-apiserver v1.36.
SETTINGS = {
    SettingCodes.MAX_FRAME_SIZE: 262144,
    SettingCodes.MAX_CONCURRENT_STREAMS: 100,
    SettingCodes.MAX_HEADER_LIST_SIZE: 1048896,
    SettingCodes.INITIAL_WINDOW_SIZE: 262144,
}
WINDOW = 1 << 20


class Connection:
    """One HTTP/2 connection; each request is answered by a task of its own."""

    def __init__(self, wire: Wire, answer: Callable[[Asked], Answer], finish: Callable[[Asked, Answer], dict[str, str]]) -> None:
        self._wire, self._answer, self._finish = wire, answer, finish
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_inbound_headers=False)
        self._h2 = h2.connection.H2Connection(config)
        self._open: dict[int, Asked] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._window = asyncio.Event()
        self._handlers: dict[type, Callable[[Any], None]] = {
            h2.events.RequestReceived: self._requested,
            h2.events.DataReceived: self._received,
            h2.events.StreamEnded: self._ended,
            h2.events.StreamReset: self._reset,
            h2.events.WindowUpdated: lambda event: self._window.set(),
            h2.events.RemoteSettingsChanged: lambda event: self._window.set(),
        }

    async def serve(self) -> None:
        """Until the client leaves."""
        self._h2.local_settings = Settings(client=False, initial_values=SETTINGS)
        self._h2.max_inbound_frame_size = SETTINGS[SettingCodes.MAX_FRAME_SIZE]
        self._h2.decoder.max_header_list_size = SETTINGS[SettingCodes.MAX_HEADER_LIST_SIZE]
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW - 65535)
        try:
            await self._flush()
            while data := await self._wire.read():
                if not await self._take(data):
                    return
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def _take(self, data: bytes) -> bool:
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            await self._flush()
            return False
        for event in events:
            self._handlers.get(type(event), lambda event: None)(event)
        await self._flush()
        return not any(isinstance(event, h2.events.ConnectionTerminated) for event in events)

    def _requested(self, event: h2.events.RequestReceived) -> None:
        headers = {str(name): str(value) for name, value in event.headers or []}
        if any(name != name.lower() for name in headers):  # malformed: an error of its h2 stream only, as with Go (RFC 9113 §8.1.1)
            self._h2.reset_stream(event.stream_id, h2.errors.ErrorCodes.PROTOCOL_ERROR)
            return
        self._open[event.stream_id] = Asked(headers[":method"], headers[":path"], headers, Upload())

    def _received(self, event: h2.events.DataReceived) -> None:
        if event.stream_id in self._open:
            self._open[event.stream_id].body.add(event.data or b"")
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)

    def _ended(self, event: h2.events.StreamEnded) -> None:
        if (number := event.stream_id) not in self._open:
            return
        self._tasks[number] = asyncio.create_task(self._guarded(self._respond(number, self._open.pop(number))))

    def _reset(self, event: h2.events.StreamReset) -> None:
        self._open.pop(event.stream_id, None)
        if task := self._tasks.pop(event.stream_id, None):
            task.cancel()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """A client that left in the middle ends only its own answer."""
        try:
            await work
        except (ConnectionError, h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
            self._window.set()

    async def _respond(self, number: int, asked: Asked) -> None:
        reply = self._answer(asked)
        headers = self._finish(asked, reply)
        if reply.parts is None:
            headers = headers | {"Content-Length": str(len(reply.body))}
        self._h2.send_headers(number, [(":status", str(reply.status)), *((name.lower(), value) for name, value in headers.items())])
        await self._flush()
        if asked.method != "HEAD":
            await self._body(number, reply)
        if reply.parts is not None or asked.method == "HEAD" or not reply.body:
            self._h2.end_stream(number)
        await self._flush()
        self._tasks.pop(number, None)

    async def _body(self, number: int, reply: Answer) -> None:
        if reply.parts is None:
            return await self._send(number, reply.body, last=True)
        async for part in reply.parts:
            await self._send(number, part)
        return None

    async def _send(self, number: int, data: bytes, last: bool = False) -> None:
        """`last`: the end of the stream goes with the data, as Go's server does when it knows the length."""
        view = memoryview(data)
        while view:
            size = min(self._h2.local_flow_control_window(number), 16384, len(view))
            if size <= 0:
                self._window.clear()
                await self._window.wait()
                continue
            self._h2.send_data(number, bytes(view[:size]), end_stream=last and size == len(view))
            view = view[size:]
            await self._flush()

    async def _flush(self) -> None:
        await self._wire.write(self._h2.data_to_send())
