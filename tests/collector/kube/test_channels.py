"""Channels of upgraded exchanges: recordings of kubectl and node against what was printed and sent, and every doubt."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.channel_events import CLOSED, ENDED, EXEC, FORWARD, IN, OUT, lost, message, opened, reset, strand, upgraded
from support.chunking import every_byte, interleavings
from support.upgrades import NAMES, load, read_apart, truth, understood

from chaperone.collector.kube.call import Exit, Piece
from chaperone.collector.kube.channels import Channels
from chaperone.collector.kube.upgrade.ending import UNSEEN
from chaperone.collector.wire.events import Data
from chaperone.collector.wire.spdy import SpdyReader
from chaperone.collector.wire.tunnel import SpdyInWebSocketReader
from chaperone.collector.wire.websocket import WebSocketReader
from chaperone.proto.records import Direction

PRINTED = ["kubectl-exec-ws.2", "kubectl-exec-ws-tty.2", "kubectl-exec-spdy.2", "kubectl-exec-spdy-stdin.2"]


def recorded(name: str) -> tuple[list[Piece], Exit | None]:
    upgrade = load(name)
    return understood(upgrade, read_apart(upgrade, upgrade.lines))


@pytest.mark.parametrize("name", PRINTED)
def test_the_client_printed_each_chunk_of_output(name: str) -> None:
    pieces, _ = recorded(name)
    output = [piece for piece in pieces if piece.channel in ("stdout", "stderr")]
    assert output
    assert all(piece.body.data.decode().replace("\r", "") in truth(name)["client_output"] for piece in output)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("kubectl-exec-ws.2", Exit(3, "NonZeroExitCode")),
        ("kubectl-exec-ws-tty.2", Exit(0, "Success")),
        ("kubectl-exec-spdy.2", Exit(3, "NonZeroExitCode")),
        ("kubectl-exec-spdy-stdin.2", Exit(0, "Success")),
        ("kubectl-cp.2", Exit(None, UNSEEN)),
        ("kubectl-portforward-ws.2", None),
        ("node-ws", Exit(7, "NonZeroExitCode")),
        ("node-spdy", None),
    ],
)
def test_how_each_command_ended(name: str, how: Exit | None) -> None:
    assert recorded(name)[1] == how


def test_the_terminals_size_and_keys_are_there() -> None:
    pieces, _ = recorded("kubectl-exec-ws-tty.2")
    assert [piece.body.object for piece in pieces if piece.channel == "resize"] == [{"Width": 120, "Height": 40}]
    assert {piece.channel for piece in pieces} == {"resize", "stdin", "stdout", "error"}


def test_a_copy_is_a_tar_on_stdout() -> None:
    pieces, _ = recorded("kubectl-cp.2")
    assert sum(len(piece.body.data) for piece in pieces if piece.channel == "stdout") == 10240
    assert b"".join(piece.body.data for piece in pieces if piece.channel == "stderr").startswith(b"tar: Removing leading")


def test_the_forwarded_port_and_what_went_through_it() -> None:
    pieces, _ = recorded("kubectl-portforward-ws.2")
    assert {piece.channel for piece in pieces} == {"port/8000/0"}
    out, back = (b"".join(piece.body.data for piece in pieces if piece.direction == way) for way in ("out", "in"))
    assert out.startswith(b"GET /etc/hostname HTTP/1.1\r\n")
    assert back.endswith(b"\r\n\r\nsrv\n")


@pytest.mark.parametrize("name", ["node-ws", "node-spdy"])
def test_what_node_said_is_what_was_understood(name: str) -> None:
    pieces, _ = recorded(name)
    said = {tuple(each) for each in load(name).first["said"]}
    channels: dict[tuple[str, str], str] = {}
    understood_texts = set()
    for piece in pieces:
        key = (piece.direction, piece.channel)
        channels[key] = channels.get(key, "") + piece.body.data.decode()
        understood_texts.add((*key, piece.body.data.decode()))
    whole = understood_texts | {(*key, text) for key, text in channels.items()}
    assert said <= whole
    assert {(way, channel) for way, channel, _ in said} == set(channels)


def by_side(pieces: list[Piece]) -> list[list[Piece]]:
    return [[piece for piece in pieces if piece.direction == way] for way in ("out", "in")]


@pytest.mark.parametrize("name", NAMES)
def test_one_byte_at_a_time_gives_the_same_pieces(name: str) -> None:
    upgrade = load(name)
    whole = recorded(name)
    assert understood(upgrade, read_apart(upgrade, every_byte(upgrade.lines))) == whole


@pytest.mark.parametrize("name", [*PRINTED, "kubectl-portforward-ws.2"])
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_any_interleaving_gives_the_same_pieces_of_each_direction(name: str, data: st.DataObject) -> None:
    upgrade = load(name)
    out, back = (b"".join(each for way, each in upgrade.lines if way is direction) for direction in Direction)
    pieces, how = understood(upgrade, read_apart(upgrade, data.draw(interleavings(out, back))))
    wanted, wanted_how = recorded(name)
    assert how == wanted_how
    assert by_side(pieces) == by_side(wanted)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("node")])
@given(at=st.integers(0, 20_000), size=st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_a_hole_anywhere_brings_no_byte_that_was_not_there(name: str, at: int, size: int) -> None:
    upgrade = load(name)
    reader, positions, events = upgrade.reader(), list(upgrade.positions), []
    for direction in Direction:
        sent = b"".join(each for way, each in upgrade.lines if way is direction)
        cut = at % (len(sent) + 1)
        events += reader.feed(direction, positions[direction], sent[:cut], 1)
        events += reader.lose(direction, min(size, len(sent) - cut), 1, "gone")
        events += reader.feed(direction, positions[direction] + min(cut + size, len(sent)), sent[cut + size :], 1)
    pieces, _ = understood(upgrade, events + reader.close(1))
    whole = {way: b"".join(piece.body.data for piece in recorded(name)[0] if piece.direction == way) for way in ("out", "in")}
    for piece in pieces:
        if piece.channel in ("stdout", "stderr", "stdin") or piece.channel.startswith("port/8000"):
            assert piece.body.data in whole[piece.direction]


def test_a_close_of_stdin_is_a_piece_of_its_own() -> None:
    channels = Channels(upgraded("v5.channel.k8s.io"), EXEC)
    (piece,) = channels.take((message(b"\xff\x00", OUT),))
    assert (piece.channel, piece.direction, piece.body.data) == ("close", "out", b"\x00")


def test_the_base64_form_of_a_command_is_read() -> None:
    channels = Channels(upgraded("base64.channel.k8s.io"), EXEC)
    pieces = channels.take((message(b"1aGk="), message(b"4eyJXaWR0aCI6MSwiSGVpZ2h0IjoyfQ==", OUT)))
    assert [(piece.channel, piece.body.data) for piece in pieces] == [("stdout", b"hi"), ("resize", b'{"Width":1,"Height":2}')]


def test_the_kubelets_path_behind_a_node_proxy_has_the_same_channels() -> None:
    channels = Channels(upgraded("v4.channel.k8s.io"), "/api/v1/nodes/n/proxy/exec/ns/pod/c?command=id&stdout=true")
    pieces = channels.take((message(b"\x01uid=0"), message(b"\x03" + json.dumps({"status": "Success"}).encode()), *ENDED))
    assert [piece.channel for piece in pieces] == ["stdout", "error"]
    assert channels.exit == Exit(0, "Success")


@pytest.mark.parametrize("uri", [EXEC, EXEC.replace("exec", "attach")])
def test_a_command_cut_off_has_an_unseen_end_and_only_then(uri: str) -> None:
    channels = Channels(upgraded("v5.channel.k8s.io"), uri)
    channels.take((message(b"\x01out"), CLOSED))
    assert channels.exit is None
    channels.take(ENDED)
    assert channels.exit == Exit(None, UNSEEN)


def test_only_commands_end_with_an_exit() -> None:
    for uri in (FORWARD, "/api/v1/namespaces/n/pods/p/log", "/api/v1/pods?watch=1", "/api/v1/namespaces/n/pods/p/proxy/"):
        channels = Channels(upgraded(), uri)
        channels.take(ENDED)
        assert channels.exit is None


@pytest.mark.parametrize(
    ("uri", "subprotocol", "data", "channel"),
    [
        ("/api/v1/namespaces/n/pods/p/log?follow=1", "", b"line\n", "log"),
        ("/api/v1/namespaces/n/pods/p/log", "base64.binary.k8s.io", b"bGluZQo=", "log"),
        ("/api/v1/pods?watch=true", "", b'{"type":"BOOKMARK","object":{"kind":"Pod"}}', "event"),
        ("/api/v1/namespaces/n/services/s/proxy/socket", "chat", b"hello", "data"),
    ],
)
def test_messages_of_other_upgrades(uri: str, subprotocol: str, data: bytes, channel: str) -> None:
    (piece,) = Channels(upgraded(subprotocol), uri).take((message(data),))
    assert piece.channel == channel


def test_an_older_port_forward_over_websocket() -> None:
    channels = Channels(upgraded("v4.channel.k8s.io"), FORWARD + "?ports=80")
    pieces = channels.take((message(b"\x00\x50\x00"), message(b"\x01\x50\x00"), message(b"\x00hello", OUT)))
    assert [piece.channel for piece in pieces] == ["port/80/0"]


def test_opaque_bytes_are_data() -> None:
    channels = Channels(upgraded("", "h2c"), "/api/v1/namespaces/n/pods/p/proxy/")
    (piece,) = channels.take((Data(0, OUT, 0, 0, memoryview(b"\x00raw")), Data(0, OUT, 4, 0, b"")))
    assert (piece.channel, piece.body.data) == ("data", b"\x00raw")


def test_lost_client_bytes_name_waiting_strands_by_number_and_lost_server_bytes_do_not() -> None:
    channels = Channels(upgraded("v4.channel.k8s.io", "spdy/3.1"), EXEC)
    assert channels.take((strand(5, b"early"), lost(IN))) == []
    assert [piece.channel for piece in channels.take((lost(OUT),))] == ["stdout"]
    assert [piece.channel for piece in channels.take((strand(7, b"late"),))] == ["stderr"]


def test_strands_that_no_opening_names_are_given_out_at_the_end() -> None:
    channels = Channels(upgraded("v4.channel.k8s.io", "spdy/3.1"), EXEC)
    assert [piece.channel for piece in channels.take((strand(5, b"early"), *ENDED))] == ["stdout"]


def test_a_spdy_command_that_fails_to_start() -> None:
    status = json.dumps({"status": "Failure", "reason": "InternalError", "message": "no such file"}).encode()
    channels = Channels(upgraded("v4.channel.k8s.io", "spdy/3.1"), EXEC)
    channels.take((opened(1, streamtype="error"), strand(1, status[:20]), strand(1, status[20:]), reset(1), *ENDED))
    assert channels.exit == Exit(None, "InternalError")
    assert IN is Direction.IN


READERS = {"spdy/3.1": SpdyReader, "websocket": WebSocketReader, "tunnel": SpdyInWebSocketReader}
URIS = (EXEC, FORWARD + "?ports=80", "/api/v1/namespaces/n/pods/p/log", "/api/v1/pods?watch=1", "/api/v1/nodes/n/proxy/exec/a/b/c", "/x")
SUBPROTOCOLS = ("", "v5.channel.k8s.io", "v4.base64.channel.k8s.io", "base64.binary.k8s.io")


@given(st.sampled_from(sorted(READERS)), st.sampled_from(URIS), st.sampled_from(SUBPROTOCOLS), st.lists(st.binary(max_size=40), max_size=6))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise(protocol: str, uri: str, subprotocol: str, payloads: list[bytes]) -> None:
    reader, channels = READERS[protocol](0, (0, 0)), Channels(upgraded(subprotocol, protocol), uri)
    for direction in Direction:
        framed = [bytes([0x82, len(payload)]) + payload for payload in payloads[1:]]
        sent = b"".join([*framed, *payloads[:1]])
        channels.take(tuple(reader.feed(direction, 0, sent, 1)))
    channels.take(tuple(reader.close(1)))
    assert (channels.exit is not None) == ("exec" in uri)
