"""HTTP/1.1: keep-alive, chunked, Expect: 100-continue, and the hand-overs to WebSocket."""

from collections.abc import Callable

import h11
import port_forward
import websocket_exec
from asked import Answer, Asked, Upload
from wire_log import Wire

LIMIT = 1 << 20  # bytes of a head; the apiserver takes 1 MiB
Serve = Callable[[Asked], Answer]
Finish = Callable[[Asked, Answer], dict[str, str]]


async def serve(wire: Wire, answer: Serve, finish: Finish) -> None:
    """Answer requests until one side closes or a request becomes a WebSocket."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)
    while True:
        try:
            asked = await _request(connection, wire)
        except h11.RemoteProtocolError:
            await wire.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request")
            return
        if asked is None:
            return
        if websocket_exec.is_exec(asked):
            finish(asked, Answer(101, ""))
            await websocket_exec.serve(wire, asked, connection.trailing_data[0])
            return
        if port_forward.is_forward(asked):
            finish(asked, Answer(101, ""))
            await port_forward.serve(wire, asked, connection.trailing_data[0])
            return
        reply = answer(asked)
        await _respond(connection, wire, (asked, reply, finish(asked, reply)))
        if connection.our_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _request(connection: h11.Connection, wire: Wire) -> Asked | None:
    request, body = None, Upload()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            await _more(connection, wire)
        elif isinstance(event, h11.Request):
            request = event
            if websocket_exec.UPGRADE in request.headers:
                return _asked(request, body)
        elif isinstance(event, h11.Data):
            body.add(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return _asked(request, body)
        else:
            return None


async def _more(connection: h11.Connection, wire: Wire) -> None:
    if connection.they_are_waiting_for_100_continue:
        await wire.write(connection.send(h11.InformationalResponse(status_code=100, headers=[], reason="Continue")) or b"")
    connection.receive_data(await wire.read())


def _asked(request: h11.Request, body: Upload) -> Asked:
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    return Asked(request.method.decode(), request.target.decode("latin-1"), headers, body)


async def _respond(connection: h11.Connection, wire: Wire, reply: tuple[Asked, Answer, dict[str, str]]) -> None:
    asked, answer, headers = reply
    if answer.parts is None:
        headers = headers | {"Content-Length": str(len(answer.body))}
    head = h11.Response(status_code=answer.status, headers=list(headers.items()), reason=_reason(answer.status))
    await wire.write(connection.send(head) or b"")
    if asked.method == "HEAD":
        pass
    elif answer.parts is None:
        await wire.write(connection.send(h11.Data(data=answer.body)) or b"")
    else:
        async for part in answer.parts:
            await wire.write(connection.send(h11.Data(data=part)) or b"")
    await wire.write(connection.send(h11.EndOfMessage()) or b"")


def _reason(status: int) -> str:
    return {200: "OK", 201: "Created", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}.get(status, "")
