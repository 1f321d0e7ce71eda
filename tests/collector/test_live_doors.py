"""A real collector on TCP: who is served, with what certificate or token, and what is recorded of it."""

import json
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from support import collectors
from support.api_double import ApiDouble
from support.filled_store import fill
from support.reviewing import ALICE, Reviewing, reviewing
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.agent.deliver.line import line
from chaperone.collector.cli.app import app
from chaperone.collector.identity.caller import ADMINS, AGENTS
from chaperone.collector.identity.certificates import Pair, Subject
from chaperone.proto.capture_pb2_grpc import CaptureStub
from chaperone.proto.ids import StreamId
from chaperone.proto.query_pb2 import Question
from chaperone.proto.query_pb2_grpc import QueryStub
from chaperone.proto.records import Chunk, Direction

RUN = CliRunner().invoke
AGENT = Subject("node-1", (AGENTS,))


@dataclass(frozen=True, slots=True)
class Place:
    """A collector that serves on both ports, and what shows who one is."""

    folder: Path
    parent: Pair
    certified: str
    by_token: str
    metrics: str
    reviews: Reviewing
    server: ApiDouble

    def tls(self, subject: Subject) -> Path:
        return tls_directory(self.folder / f"tls-{subject.name}", self.parent, subject)

    def options(self, subject: Subject) -> list[str]:
        return ["--server", self.certified, "--tls", str(self.tls(subject))]

    def with_token(self, token: str) -> list[str]:
        config = self.server.kubeconfig(self.folder, token)
        return ["--server", self.by_token, "--ca", str(self.folder / "tls" / "ca.crt"), "--kubeconfig", str(config)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("doors")
    fill(folder / "store")
    parent, ports = authority(), [f"127.0.0.1:{free_port()}", f"localhost:{free_port()}", f"127.0.0.1:{free_port()}"]
    tls = tls_directory(folder / "tls", parent, SERVER)
    with reviewing(folder) as (reviews, server):
        config = server.kubeconfig(folder)
        listening = ["--listen", ports[0], "--listen-tokens", ports[1], "--metrics", ports[2], "--tls", str(tls), "--reviews", str(config)]
        with collectors.collector(folder / "store", *listening):
            yield Place(folder, parent, *ports, reviews, server)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_an_agent_delivers_and_may_ask_nothing(place: Place) -> None:
    with line(place.certified, place.tls(AGENT)) as channel:
        answers = CaptureStub(channel).Stream(iter([collectors.hello("tcp-agent")]), timeout=20)
        assert next(answers).WhichOneof("message") == "welcome"
        with pytest.raises(grpc.RpcError) as caught:
            list(QueryStub(channel).Ask(Question(name="status"), timeout=20))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_people_deliver_nothing(place: Place) -> None:
    with line(place.certified, place.tls(Subject("root", (ADMINS,)))) as channel, pytest.raises(grpc.RpcError) as caught:
        next(CaptureStub(channel).Stream(iter([collectors.hello()]), timeout=20))
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_without_a_certificate_of_ours_there_is_no_connection(place: Place) -> None:
    stranger = tls_directory(place.folder / "stranger", authority(), AGENT)
    (stranger / "ca.crt").write_bytes(place.parent.certificate)
    for credentials in (grpc.ssl_channel_credentials(place.parent.certificate), None):
        channel = grpc.secure_channel(place.certified, credentials) if credentials else line(place.certified, stranger)
        with channel, pytest.raises(grpc.RpcError) as caught:
            list(QueryStub(channel).Ask(Question(name="status"), timeout=20))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_plain_tcp_is_not_served(place: Place) -> None:
    for address in (place.certified, place.by_token):
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
            list(QueryStub(channel).Ask(Question(name="status"), timeout=20))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_person_sees_what_the_cluster_lets_them_see(place: Place) -> None:
    denied = RUN(app, [*place.with_token(ALICE), "sessions", "list"])
    assert str(denied.exception) == "'alice' may not view sessions.chaperone.dev in all namespaces"
    place.reviews.tokens["bob-token"] = {"username": "bob", "groups": []}
    place.reviews.allowed.add(("bob", "view", "sessions", ""))
    assert "5e5e5e5e" in RUN(app, [*place.with_token("bob-token"), "sessions", "list"]).stdout
    assert "5e5e5e5e" in RUN(app, [*place.with_token("bob-token"), "sessions", "show", "latest"]).stdout


def test_a_forged_token_is_told_so(place: Place) -> None:
    refused = RUN(app, [*place.with_token("forged"), "sessions", "list"])
    assert "does not know this token" in str(refused.exception)


def test_every_access_is_recorded_the_denied_too(place: Place) -> None:
    carol = Subject("carol")
    RUN(app, [*place.options(carol), "calls", "list", "--session", "latest"])
    found = RUN(app, [*place.options(Subject("root", (ADMINS,))), "accesses", "list", "--user", "carol", "-o", "json"])
    (access,) = json.loads(found.stdout)
    assert (access["question"], access["session"], access["means"], access["allowed"]) == ("calls.list", "5e" * 16, "certificate", False)


def test_a_renewed_certificate_is_used_without_a_restart(place: Place) -> None:
    admin = place.options(Subject("root", (ADMINS,)))
    before = (place.folder / "tls" / "tls.crt").read_bytes()
    tls_directory(place.folder / "tls", place.parent, SERVER)
    assert (place.folder / "tls" / "tls.crt").read_bytes() != before
    served = grpc.ssl_channel_credentials(place.parent.certificate)
    with grpc.secure_channel(place.by_token, served) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(QueryStub(channel).Ask(Question(name="status"), timeout=20))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert RUN(app, [*admin, "sessions", "list"]).exit_code == 0
    assert _served(place.certified) == (place.folder / "tls" / "tls.crt").read_bytes()


def _served(address: str) -> bytes:
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port))).encode()


def test_metrics_count_what_agents_deliver(place: Place) -> None:
    tls = place.tls(AGENT)
    stream = StreamId("57" * 16)
    chunk = Chunk(stream, Direction.OUT, 0, b"GET / HTTP/1.1\r\n", 1)
    with line(place.certified, tls) as channel:
        sent = iter([collectors.hello("counted"), collectors.batch(1, [chunk])])
        assert any(answer.WhichOneof("message") == "ack" for answer in CaptureStub(channel).Stream(sent, timeout=20))
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
    with urllib.request.urlopen(f"https://{place.metrics}/metrics", context=context, timeout=20) as answer:
        text = answer.read().decode()
    assert 'chaperone_captured_bytes_total{direction="out"} 16.0' in text
    assert "\nchaperone_store_lag_seconds " in text
    assert 'chaperone_trouble{part="store"} 0.0' in text
