"""A client and a server of the h2 library, talking: what each wrote, as pieces in order."""

import h2.config
import h2.connection
from support.chunking import Piece

from chaperone.proto.records import Direction

Fields = list[tuple[str, str]]
GET: Fields = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/api")]
POST: Fields = [(":method", "POST"), *GET[1:]]
OK: Fields = [(":status", "200"), ("content-type", "application/json")]


class Peers:
    """Both ends; everything either writes is delivered to the other at once and kept in `pieces`."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.pump()

    def pump(self) -> None:
        """Deliver until neither has anything to say."""
        sent = True
        while sent:
            sent = False
            for direction, writer, taker in ((Direction.OUT, self.client, self.server), (Direction.IN, self.server, self.client)):
                if data := writer.data_to_send():
                    self.pieces.append((direction, data))
                    taker.receive_data(data)
                    sent = True

    def ask(self, number: int, fields: Fields = GET, ends: bool = True, **priority: int | bool) -> None:
        self.client.send_headers(number, fields, end_stream=ends, **priority)  # type: ignore[arg-type]
        self.pump()

    def answer(self, number: int, body: bytes, fields: Fields = OK) -> None:
        self.server.send_headers(number, fields)
        self.server.send_data(number, body, end_stream=True)
        self.pump()

    def both(self) -> tuple[bytes, bytes]:
        """All bytes of each direction."""
        out, back = (b"".join(data for side, data in self.pieces if side == direction) for direction in Direction)
        return out, back
