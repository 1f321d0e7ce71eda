"""One secret in every place and encoding, through a real collector: in nothing that it keeps, says, tells or exports it can be found.

That it would be found is shown first: by the same conversations without masking, and by a canary that is planted in the store.
"""

import base64
import json
import re
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.canaries import CANARY, PLACES, RELEASE, b64
from support.collectors import batch, collector, hello, send
from support.conversations import Conversation
from support.leaks import leaks_in, leaks_in_store, plant
from support.made_captures import IN, OUT, Talk
from support.receivers import Server, free_port, serving, until
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.identity.certificates import Subject
from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.reveal import Revealer
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.pipeline.gate import Gate
from chaperone.collector.rules.words import WORDS
from chaperone.collector.store.embedded import Embedded
from chaperone.collector.store.rows import Row
from chaperone.proto.records import Note, Record, SessionStarted

CHAPERONE = Path(sys.executable).with_name("chaperone")
NEEDLES = {"canary": CANARY.encode(), "release": RELEASE[:40].encode(), "release in base64": b64(RELEASE)[:40].encode()}
NOT_KEPT = ("another host", "an audit webhook")  # nothing is kept of them but host, path and sizes
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
TELLS = [name for name, word in WORDS.items() if word.type != "dyn" and name.partition(".")[0] in ("call", "session", "process", "secret")]
POLICY = f"""apiVersion: chaperone.dev/v1
kind: Policy
metadata: {{name: tells-all}}
rules:
- name: tells-all
  when: call.method != "" && call.code >= 0
  phase: end
  do: alert
  message: "{" ".join(f"{{{name}}}" for name in TELLS)}"
- name: tells-channels
  when: channel.name != ""
  do: alert
  message: "{{channel.text}}"
"""


def records(name: str, talk: Talk) -> list[Record]:
    """A session of its own."""
    one = Conversation(name)
    begun = one.begun("agent", f"--token={CANARY}", "--password", CANARY)
    first = begun[0]
    assert isinstance(first, SessionStarted)
    own = f"{POLICY.replace('tells-', 'tells-too-')}\n# password={CANARY}\n"
    labelled = {"labels": {"token": f"password={CANARY}"}, "policies": (own,) if len(name) % 8 == 0 else ()}
    started = SessionStarted(first.session, first.workload, first.time, "tester", first.argv, f"/home/token={CANARY}/", "node", **labelled)  # type: ignore[arg-type]
    said = Note(one.session, one.tick(), "agent", f"could not say password={CANARY}", complete=True)
    return [started, *begun[1:], said, *(one.chunk(side, data) for side, data in talk), *one.ended()]


def rows(talk: Talk, gate: Gate) -> list[dict[str, Any]]:
    """The calls and pieces of a place, by this gate."""
    found: list[Row] = []
    pipeline, one = Pipeline(lambda: gate, found), Conversation()
    for record in (*one.begun(), *(one.chunk(side, data) for side, data in talk), *one.ended()):
        pipeline.take(record, 0)
    return [row.document for row in found]


def shown(documents: Iterable[dict[str, Any]]) -> bytes:
    """All that they say: pieces joined by channel, base64 opened, with and without terminal escapes."""
    channels: dict[tuple[str, ...], str] = {}
    texts = []
    for document in documents:
        texts.append(json.dumps(document, ensure_ascii=False))
        for body in (document.get(key) for key in ("requestBody", "responseBody", "body")):
            if body and body.get("data") and body["encoding"] == "base64":
                texts.append(base64.b64decode(body["data"]).decode("latin-1"))
        if "channel" in document:
            key = tuple(str(document[name]) for name in ("session", "call", "channel", "direction"))
            channels[key] = channels.get(key, "") + (document["body"].get("data") or "")
    whole = "\n".join([*texts, *channels.values()])
    return f"{whole}\n{ESCAPES.sub('', whole)}".encode(errors="replace")


def found_in(data: bytes) -> list[str]:
    return [f"{name}: {where}" for name, needle in NEEDLES.items() for where in leaks_in(data, needle)]


@pytest.mark.parametrize("place", [place for place in PLACES if place not in NOT_KEPT])
def test_without_masking_the_recording_would_have_it_and_with_masking_it_has_not(place: str) -> None:
    assert found_in(shown(rows(PLACES[place], Revealer())))
    masked = shown(rows(PLACES[place], Masker(b"k" * 32)))
    assert found_in(masked) == [] and b"~masked-" in masked


@pytest.mark.parametrize("place", NOT_KEPT)
def test_what_is_said_elsewhere_is_sent_and_not_kept(place: str) -> None:
    assert found_in(b"".join(data for _, data in PLACES[place]))
    assert found_in(shown(rows(PLACES[place], Masker(b"k" * 32)))) == []
    assert {side for side, _ in PLACES[place]} == {OUT, IN}


@dataclass(frozen=True, slots=True)
class Said:
    """All that came of the conversations. `outputs`: by what was asked or where it was written."""

    store: Path
    outputs: dict[str, bytes]
    calls: list[dict[str, Any]]
    documents: list[dict[str, Any]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    """A collector that had all of them, asked for everything; it has ended."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "policy.yaml").write_text(POLICY)
    with serving() as server:
        outputs, calls = conversed(folder, server)
    engine = Embedded(folder / "store/clickhouse")
    documents = [json.loads(row["document"]) for row in engine.rows("SELECT document FROM records ORDER BY arrived")]
    engine.close()
    yield Said(folder / "store", outputs, calls, documents)


def conversed(folder: Path, server: Server) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    store, port = folder / "store", free_port()
    messages = [hello(), *(batch(number, records(place, talk)) for number, (place, talk) in enumerate(PLACES.items(), 1))]
    with collector(store, *options(folder, server, port)) as process:
        send(store, messages, timeout_s=120)
        until(lambda: any("alerts" in document for document in server.documents()))
        outputs = {f"metrics {number}": scraped(folder, port) for number in range(1)}
        calls = [json.loads(line) for line in ask(store, "calls", "list", "-o", "jsonl", "--limit", "1000").splitlines()]
        outputs |= {" ".join(question): ask(store, *question) for question in questions(folder, calls)}
        outputs["a bad policy"] = refused(folder)
        (folder / "policy.yaml").write_text(misplaced())
        assert process.stderr
        said = process.stderr.readline()  # that this is not taken
        process.terminate()
        outputs["log"] = said + process.stderr.read()
        assert process.wait(60) == 0
    outputs["webhook"] = json.dumps(server.documents(), ensure_ascii=False).encode()
    outputs["lines"] = (folder / "alerts.jsonl").read_bytes()
    return outputs, calls


def options(folder: Path, server: Server, port: int) -> list[str]:
    hook = f"- {{name: hook, webhook: {{url: '{server.url}', key: {'k' * 32}}}}}"
    lines = f"- {{name: lines, jsonl: {{file: {folder}/alerts.jsonl}}}}"
    (folder / "alerts.yaml").write_text("\n".join(["apiVersion: chaperone.dev/v1", "kind: Alerting", "receivers:", hook, lines]))
    parent = authority()
    tls_directory(folder / "tls", parent, SERVER)
    tls_directory(folder / "client", parent, Subject("scraper"))
    listening = ["--tls", str(folder / "tls"), "--metrics", f"127.0.0.1:{port}"]
    told = ["--policy", str(folder / "policy.yaml"), "--alerts", str(folder / "alerts.yaml")]
    return [*told, *listening, "--log-format", "json", "--log-level", "debug"]


def scraped(folder: Path, port: int) -> bytes:
    context = ssl.create_default_context(cafile=str(folder / "client/ca.crt"))
    context.load_cert_chain(folder / "client/tls.crt", folder / "client/tls.key")
    with urllib.request.urlopen(f"https://127.0.0.1:{port}/metrics", context=context, timeout=60) as answer:
        return bytes(answer.read())


def questions(folder: Path, calls: list[dict[str, Any]]) -> list[list[str]]:
    """Everything that can be asked, in the forms of export."""
    limits = {"sessions": "20", "calls": "1000", "alerts": "1000"}
    lists = [[name, "list", *(["--limit", limits[name]] if name in limits else [])] for name in ("sessions", "calls", "verdicts", "alerts")]
    asked = [*lists, *([*one, "-o", form] for one in lists for form in ("json", "yaml")), ["connections", "list"]]
    sessions = sorted({call["session"] for call in calls})
    several = [calls[at] for at in range(0, len(calls), max(1, len(calls) // 12))]
    asked += [["calls", "show", call["id"]] for call in several] + [["calls", "show", several[0]["id"], "-o", "json"]]
    asked += [["replay", session, "--no-wait"] for session in sessions[::24]]
    asked += [["sessions", "show", sessions[0], "-o", "json"], ["sessions", "summary"], ["sessions", "show", "latest"]]
    asked += [["rules", "explain", calls[0]["id"]], ["rules", "status"]]
    return [*asked, ["rules", "test", str(folder / "policy.yaml"), "--session", sessions[-1]]]


def ask(store: Path, *question: str) -> bytes:
    """The command as it is typed, in this process: each start of its own takes a second."""
    done = CliRunner().invoke(app, [*question, "--store", str(store)])
    assert done.exit_code == 0, (question, done.output)
    return (done.stdout + done.stderr).encode()


def misplaced() -> str:
    """A file that names a canary where it must not."""
    return POLICY.replace("do: alert", f"do: alert\n  mitre: password={CANARY}\n")


def refused(folder: Path) -> bytes:
    """What is said of it."""
    (folder / "bad.yaml").write_text(misplaced())
    done = subprocess.run([CHAPERONE, "rules", "check", folder / "bad.yaml"], capture_output=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_every_place_came_to_the_store_masked(said: Said) -> None:
    sessions = {document["id"] for document in said.documents if "workload" in document and "argv" in document}
    assert len(sessions) == len(PLACES)
    recorded = {document["session"] for document in said.documents if "requestURI" in document or document.get("reason")}
    assert len(recorded) >= len(PLACES) - len(NOT_KEPT), "each place is a call"
    assert len(said.calls) >= len(PLACES) - len(NOT_KEPT)


def test_nothing_is_in_the_store(said: Said) -> None:
    """Every column by SELECT, every file with its blocks and frames opened, and texts that were cut over rows joined."""
    for name, needle in NEEDLES.items():
        assert (name, leaks_in_store(said.store, needle)) == (name, [])
    assert found_in(shown(said.documents)) == []


def test_nothing_is_in_what_it_says_tells_or_exports(said: Said) -> None:
    assert {name: found for name, text in said.outputs.items() if (found := found_in(text))} == {}
    assert len(said.outputs) > 30 and all(said.outputs[name] for name in said.outputs if name != "connections list")
    assert b"~masked-" in said.outputs["webhook"] and b"~masked-" in said.outputs["lines"]
    assert b"chaperone_" in said.outputs["metrics 0"]


def test_its_log_says_why_a_file_is_not_taken_in_lines_that_can_be_gathered(said: Said) -> None:
    lines = [json.loads(line) for line in said.outputs["log"].splitlines()]
    assert [line["level"] for line in lines if "the rules stay as they were" in line["message"]] == ["warning"]
    assert all(line["logger"].startswith("chaperone.") and "ts" in line for line in lines)


def test_a_planted_one_is_found_in_the_store(said: Said) -> None:
    plant(said.store, CANARY.encode())
    assert leaks_in_store(said.store, CANARY.encode()) != []
