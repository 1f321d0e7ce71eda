import asyncio
import datetime
import email.utils
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.certificates import authority
from support.receivers import free_port, serving

from chaperone.collector.enforce.alerting import Endpoint
from chaperone.collector.enforce.outcome import Fate, Outcome
from chaperone.collector.enforce.post import post
from chaperone.collector.enforce.secret import Secret

LONG_S = 60.0


def send(url: str, body: bytes = b"{}", timeout_s: float = LONG_S, ca: str = "") -> Outcome:
    return asyncio.run(post(Endpoint(Secret(url), ca, timeout_s), body, {"Content-Type": "application/json"}))


@contextmanager
def talking(*pieces: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A server that says these bytes to whoever connects, with pauses, and then nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def talk() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                if pause_s and ended.wait(pause_s):
                    return
            ended.wait(LONG_S)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook-s3cret"
    finally:
        ended.set()
        thread.join(LONG_S)
        listener.close()


def test_a_body_arrives_whole_at_path_and_query() -> None:
    with serving() as server:
        assert send(server.url + "?a=b", b"x" * 300_000) == Outcome(Fate.SENT, "answered 200")
        assert (server.got[0].path, len(server.got[0].body)) == ("/services/T0/B0/hook-s3cret?a=b", 300_000)
        assert server.got[0].headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (204, "sent"),
        (500, "later"),
        (503, "later"),
        (429, "later"),
        (404, "later"),
        (403, "later"),
        (410, "later"),
        (400, "refused"),
        (413, "refused"),
    ],
)
def test_statuses_say_whether_to_come_again(status: int, fate: str) -> None:
    with serving(status) as server:
        assert send(server.url) == Outcome(Fate(fate), f"answered {status}")


def test_a_redirect_is_not_followed() -> None:
    with serving() as other, serving(302, 307, 308, headers={"Location": other.url}) as server:
        for status in (302, 307, 308):
            assert send(server.url) == Outcome(Fate.LATER, f"answered {status}: redirects are not followed")
        assert other.got == []


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    with serving(429, headers={"Retry-After": "17"}) as server:
        assert send(server.url).retry_after_s == 17
    later = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1), usegmt=True)
    with serving(503, headers={"Retry-After": later}) as server:
        assert 3000 < (send(server.url).retry_after_s or 0) <= 3600
    with serving(503, headers={"Retry-After": "soon"}) as server:
        assert send(server.url).retry_after_s is None


def test_who_never_answers_costs_the_timeout_and_no_more() -> None:
    with serving(-1) as server:
        assert send(server.url, timeout_s=0.3) == Outcome(Fate.LATER, "no answer within 0.3s")


def test_drops_of_an_answer_do_not_put_the_end_off() -> None:
    with talking(*[b"H"] * 200, pause_s=0.05) as url:
        assert send(url, timeout_s=0.5) == Outcome(Fate.LATER, "no answer within 0.5s")


def test_who_hangs_up_or_is_not_there_is_tried_later() -> None:
    with serving(0) as server:
        assert send(server.url).why in ("the connection broke", "connection reset by peer")
    assert send(f"http://127.0.0.1:{free_port()}/").why == "connection refused"
    assert send("https://receiver.invalid/").why == "its name can't be resolved"


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n" * 9, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000],
)
def test_what_is_no_answer_is_no_success(said: bytes) -> None:
    with talking(said) as url:
        assert send(url) == Outcome(Fate.LATER, "it answered something that is no HTTP")


def test_an_answer_behind_interim_ones_counts_and_an_endless_body_is_left() -> None:
    with talking(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65536] * 100) as url:
        assert send(url).fate is Fate.SENT


def test_a_certificate_is_verified(tmp_path: Path) -> None:
    ca, context = authority(tmp_path)
    with serving(tls=context) as server:
        assert send(server.url, ca=str(ca)) == Outcome(Fate.SENT, "answered 200")
        assert send(server.url).why.startswith("its certificate is not trusted: ")
        assert (
            send(server.url.replace("127.0.0.1", "localhost"), ca=str(ca)).why == "its certificate is not trusted: it is for another host"
        )
        assert len(server.got) == 1


def test_no_tls_where_tls_is_wanted_is_no_success() -> None:
    with serving() as server:
        assert send(server.url.replace("http://", "https://")).fate is Fate.LATER


def test_a_proxy_of_the_environment_is_gone_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca, context = authority(tmp_path)
    with serving(tls=context) as server, _proxy(server.port) as (port, asked):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ann:p%40ss@127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert send(server.url, ca=str(ca)).fate is Fate.SENT
        assert asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1", "Proxy-Authorization: Basic YW5uOnBAc3M="]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert send(server.url, ca=str(ca)).fate is Fate.SENT
        assert (len(asked), len(server.got)) == (2, 2)


@contextmanager
def _proxy(target: int) -> Iterator[tuple[int, list[str]]]:
    """Passes one connection on."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), list[str]()

    def carry(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)

    def serve() -> None:
        client, _ = listener.accept()
        with client, socket.create_connection(("127.0.0.1", target)) as server:
            lines = client.recv(65536).decode().splitlines()
            asked.extend([lines[0], *(line for line in lines if line.startswith("Proxy-"))])
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            threading.Thread(target=carry, args=(server, client), daemon=True).start()
            try:
                carry(client, server)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], asked
    listener.close()


@pytest.mark.parametrize("status", [0, -1, 302, 400, 500])
def test_nothing_that_is_said_has_the_address(status: int, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(0)
    with serving(status, headers={"Location": "http://evil.test/s3cret"}, body=b"hook-s3cret") as server:
        outcome = send(server.url, timeout_s=0.5)
    printed = capsys.readouterr()
    assert "s3cret" not in f"{outcome} {caplog.text} {printed.out} {printed.err}"
