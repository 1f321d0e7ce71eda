"""`chaperone run --policy` of what goes on behind an upgrade: what is typed into exec, sent through port-forward, copied, followed.

One run of one script, since starting an agent takes its time: what each command said is looked at by a test of its own.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.apiserver import ApiServer, running
from support.collectors import ask
from support.governed_run import CHAPERONE, governed, said, storing, variables
from support.kernel import skip_without_kernel
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage

pytestmark = pytest.mark.kernel
KUBECTL = CHAPERONE.with_name("kubectl")
RULES = """
- name: no-removal
  when: channel.name == "stdin" && channel.text.contains("rm -rf")
  do: deny
  enforce: enforce
  message: "nothing is removed"
- name: no-drop
  when: channel.name.startsWith("port/") && channel.text.contains("DROP TABLE")
  do: deny
  enforce: enforce
  message: "no table is dropped"
"""
SCRIPT = r"""
eval "$SAID"
typed() { { echo hello; sleep 1; echo "$1"; sleep 1; echo after; } | kubectl exec -i agent -c main -- cat; }
forwarded() {
  timeout 60 kubectl port-forward pod/agent :80 >$OUT/forward.$1 2>&1 & forwarder=$!
  until port=$(grep -oPm1 'Forwarding from 127.0.0.1:\K[0-9]+' $OUT/forward.$1); do kill -0 $forwarder || return; sleep 0.1; done
  $PYTHON $OUT/talk.py $port "$2"
  [ "$3" = "ends itself" ] || kill $forwarder
  wait $forwarder
}
said typed typed "rm -r"
said removed typed "rm -rf /"
said passed forwarded select "SELECT 1"
said dropped forwarded drop "DROP TABLE users" "ends itself"
said fetched kubectl cp agent:/etc/env $OUT/fetched -c main
said copied kubectl cp $OUT/fetched agent:/tmp/x -c main
said worse kubectl cp $OUT/worse agent:/tmp/x -c main
for way in halves fragments; do
  said "$way-fine" $PYTHON $OUT/pieces.py "rm -r nothing" $way
  said "$way-denied" $PYTHON $OUT/pieces.py "rm -rf /" $way
done
said followed kubectl logs -f agent -c main
"""
PIECES = """
import os, socket, ssl, sys

line, way = sys.argv[1].encode(), sys.argv[2]
context = ssl.create_default_context(cafile=os.environ["CA"])
peer = context.wrap_socket(socket.create_connection(("127.0.0.1", int(os.environ["PORT"]))), server_hostname="127.0.0.1")
peer.settimeout(60)
head = ["GET /api/v1/namespaces/default/pods/agent/exec?command=cat&stdin=true&stdout=true&container=main HTTP/1.1", "Host: api"]
head += ["Authorization: Bearer " + os.environ["TOKEN"], "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
head += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: v5.channel.k8s.io"]
peer.sendall("\\r\\n".join([*head, "", ""]).encode())
got = b""
while b"\\r\\n\\r\\n" not in got:
    got += peer.recv(1000)
assert got.startswith(b"HTTP/1.1 101"), got
frame = lambda first, data: bytes([first, 0x80 + len(data)]) + bytes(4) + data
whole = frame(0x82, b"\\0" + line)
pieces = {"halves": [whole[:10], whole[10:]], "fragments": [frame(2, b"\\0" + line[:4]), frame(0x80, line[4:])]}
try:
    for piece in pieces[way]:
        peer.sendall(piece)
    got = got.partition(b"\\r\\n\\r\\n")[2]
    while line not in got and (more := peer.recv(1000)):
        got += more
    print("came" if line in got else "nothing came")
except OSError as error:
    print(type(error).__name__)
"""
TALK = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60)
for text in ("first", sys.argv[2], "last"):
    try:
        peer.sendall(text.encode())
        print(peer.recv(100).decode() or "nothing")
    except OSError as error:
        print(type(error).__name__)
"""


@dataclass(frozen=True)
class Ran:
    """What came of it."""

    place: Path
    server: ApiServer
    last_line: str

    def sent(self, words: str) -> list[bytes]:
        """What the clients of upgraded calls sent, by the server's own log."""
        return [unmasked(self.raw(number)) for number in self.numbers(words)]

    def numbers(self, words: str) -> list[int]:
        """Of their connections."""
        return [one["connection"] for one in self.server.requests() if words in one["requestURI"] and one["code"] == 101]

    def raw(self, number: int) -> bytes:
        """All that one was sent."""
        return self.server.plaintext(number)[0]


def unmasked(sent: bytes) -> bytes:
    """What the WebSocket messages behind a connection's last head carried."""
    socket = Connection(ConnectionType.SERVER)
    socket.receive_data(sent[sent.rindex(b"\r\n\r\n") + 4 :])
    return b"".join(bytes(event.data) for event in socket.events() if isinstance(event, BytesMessage))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    skip_without_kernel()
    place = tmp_path_factory.mktemp("run")
    (place / "talk.py").write_text(TALK)
    (place / "pieces.py").write_text(PIECES)
    (place / "worse").write_text("#!/bin/sh\nrm -rf /\n")
    with storing(place), running(place / "apiserver") as server:
        done = governed(place, server, RULES, "bash", "-c", SCRIPT)
        assert done.returncode == 0, done.stderr
        yield Ran(place, server, done.stderr.splitlines()[-1])


def test_the_line_that_is_denied_does_not_leave_and_the_command_ends(ran: Ran) -> None:
    status, out, err = said(ran.place, "removed")
    assert (status, out) == (1, "hello\n") and "close 1006 (abnormal closure)" in err, err
    first, second = ran.sent("/exec?command=cat&container")
    assert b"after" in first and b"hello" in second and b"rm -rf" not in second


def test_other_lines_come_and_go(ran: Ran) -> None:
    assert said(ran.place, "typed") == (0, "hello\nrm -r\nafter\n", "")


@pytest.mark.parametrize("way", ["halves", "fragments"])
def test_of_a_message_over_several_writes_nothing_leaves_that_is_denied(ran: Ran, way: str) -> None:
    assert said(ran.place, f"{way}-fine")[:2] == (0, "came\n")
    assert said(ran.place, f"{way}-denied")[1] != "came\n"
    sent = [ran.raw(number) for number in ran.numbers("/exec?command=cat&stdin=true&stdout=true&container=main")]
    assert [data.endswith(b"\r\n\r\n") for data in sent] == [False, True] * 2, "not a byte of what is denied left"


def test_what_is_denied_does_not_go_through_a_forwarded_port(ran: Ran) -> None:
    assert said(ran.place, "passed")[1] == "first\nSELECT 1\nlast\n"
    status, out, _ = said(ran.place, "dropped")
    assert (status, out.splitlines()[:2]) == (1, ["first", "nothing"])
    _, second = ran.sent("/portforward")
    assert b"first" in second and b"DROP" not in second
    assert "lost connection to pod" in (ran.place / "forward.drop").read_text()


def test_files_are_copied_unless_what_is_in_them_is_denied(ran: Ran) -> None:
    assert said(ran.place, "fetched")[0] == said(ran.place, "copied")[0] == 0
    assert b"HOME=/root" in (ran.place / "fetched").read_bytes() and any(b"HOME=/root" in sent for sent in ran.sent("command=-xmf"))
    assert said(ran.place, "worse")[0] == 1 and not any(b"rm -rf" in sent for sent in ran.sent("/exec"))


def test_a_log_is_followed_to_its_end(ran: Ran) -> None:
    bare = subprocess.run(
        [KUBECTL, "logs", "agent", "-c", "main"], env=variables(ran.place, ran.server, {}), capture_output=True, check=True
    )
    assert said(ran.place, "followed") == (0, bare.stdout.decode(), "")


def test_each_denial_is_said_once_and_was_carried_out(ran: Ran) -> None:
    denials = ask(ran.place / "store", "verdicts.list", action="deny")
    assert sorted(each["rule"] for each in denials) == ["no-drop", *["no-removal"] * 4]
    assert {(each["notCarriedOut"], each["moment"]) for each in denials} == {("", "channel")}
    assert " 5 deny" in ran.last_line and "not carried out" not in ran.last_line
