"""One long HTTP/2 connection with a watch that goes on beside many gets, as an agent's records."""

import json
import random

from support.conversations import Conversation
from support.h2_peers import Fields, Peers

from chaperone.proto.records import Record

JSON: Fields = [(":status", "200"), ("content-type", "application/json")]
PODS = "/api/v1/namespaces/default/pods"


def long_connection(rounds: int, one: Conversation, noise: int = 0) -> list[Record]:
    """Begin, a watch with one event a round, one get a round, end; each write is a record. `noise`: bytes that hardly compress, per get."""
    peers = Peers()
    peers.client.increment_flow_control_window(1 << 24)
    peers.ask(1, _get(f"{PODS}?watch=true"))
    peers.client.increment_flow_control_window(1 << 24, 1)
    peers.server.send_headers(1, JSON)
    for number in range(rounds):
        peers.server.send_data(1, _event(number))
        peers.ask(3 + 2 * number, _get(f"{PODS}/pod-{number}"))
        peers.answer(3 + 2 * number, json.dumps(_pod(number, noise)).encode(), [*JSON, ("audit-id", f"audit-{number}")])
    peers.server.end_stream(1)
    peers.pump()
    return [*one.begun(), *(one.chunk(direction, data) for direction, data in peers.pieces), *one.ended()]


def _get(path: str) -> Fields:
    fields: Fields = [(":method", "GET"), (":scheme", "https"), (":authority", "api.test:6443"), (":path", path)]
    return [*fields, ("user-agent", "kubectl/v1.37"), ("authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl")]


def _pod(number: int, noise: int = 0) -> dict[str, object]:
    about = {"name": f"pod-{number}", "namespace": "default"}
    told = {"annotations": {"noise": random.Random(number).randbytes(noise // 2).hex()}} if noise else {}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {**about, **told}}


def _event(number: int) -> bytes:
    return json.dumps({"type": "ADDED", "object": _pod(number)}).encode() + b"\n"
