"""`chaperone decode`: capture files in, audit events, calls, channels out; equal to the apiserver's own log."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chaperone.collector.cli.app import app

RUN = CliRunner().invoke
CAPTURES = Path(__file__).parents[2] / "captures"
SHARED = Path(__file__).parents[3] / "../shared/fixtures/wire"
PLANTED = ("s3cr3t-Pa55w0rd", "czNjcjN0LVBhNTV3MHJk")
TIMES = {"requestReceivedTimestamp", "stageTimestamp"}


def recordings() -> list[Path]:
    """All that are handed out, else those that are committed."""
    captures = (SHARED if SHARED.is_dir() else CAPTURES).glob("*.jsonl.gz")
    return sorted(path for path in captures if truth_of(path).exists())


def truth(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(truth_of(path).read_text())
    return found


def truth_of(path: Path) -> Path:
    return path.with_name(path.name.replace(".jsonl.gz", ".truth.json"))


def lines(path: Path, *options: str) -> list[dict[str, Any]]:
    done = RUN(app, ["decode", str(path), *options])
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def flattened(event: dict[str, Any]) -> dict[str, Any]:
    """An event as the truth has it: username only, bodies as flags; an auditID that is on no wire left out."""
    inferred = event["annotations"].get("chaperone.dev/inferred", "")
    kept = {key: value for key, value in event.items() if key not in TIMES and not (key == "auditID" and key in inferred)}
    has = {"hasRequestObject": "requestObject" in event, "hasResponseObject": "responseObject" in event}
    return kept | has | {"user": event["user"].get("username")}


@pytest.mark.parametrize("path", recordings(), ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_the_events_are_those_of_the_audit_log(path: Path) -> None:
    events = [flattened(event) for event in lines(path, "-o", "audit", "--reveal")]
    logged = truth(path)["audit"]
    assert len(events) == len(logged)
    for wanted in logged:
        found = next(
            e
            for e in events
            if e.get("auditID", "") == wanted["auditID"] or ("auditID" not in e and e["requestURI"] == wanted["requestURI"])
        )
        wanted = {
            key: value for key, value in wanted.items() if key not in TIMES and key in found | {"objectRef": 0, "impersonatedUser": 0}
        }
        assert json.dumps({key: found.get(key) for key in wanted}) == json.dumps(wanted)


def test_secrets_are_masked_unless_they_are_to_be_revealed() -> None:
    path = CAPTURES / "curl-h2.1.jsonl.gz"
    for form in ("audit", "jsonl", "table", "channels"):
        shown = RUN(app, ["decode", str(path), "-o", form]).stdout
        assert not [secret for secret in PLANTED if secret in shown]
    assert PLANTED[1] in RUN(app, ["decode", str(path), "-o", "jsonl", "--reveal"]).stdout


def test_a_line_of_json_is_a_call_with_all_of_it() -> None:
    (call,) = lines(CAPTURES / "curl-h2.1.jsonl.gz", "-o", "jsonl")
    assert (call["record"], call["source"], call["verb"], call["code"]) == ("call", "curl-h2.1.jsonl.gz", "get", 200)
    assert call["responseBody"]["kind"] == "Secret"
    wanted = "id session stream time duration_ms process userAgent user verb requestURI apiGroup apiVersion resource subresource namespace"
    assert {*wanted.split(), "name", "code", "bytes", "complete", "gaps"} <= call.keys()


def test_a_table_has_a_line_for_each_call() -> None:
    name, heading, line = RUN(app, ["decode", str(CAPTURES / "curl-h2.1.jsonl.gz")]).stdout.splitlines()
    assert name == "curl-h2.1.jsonl.gz:"
    assert heading.split() == ["TIME", "VERB", "OBJECT", "NAMESPACE", "CODE", "TOOK", "STATE", "USER"]
    assert line.split()[1:5] == ["get", "secrets/db-cred", "default", "200"]


def test_channels_show_times_and_the_exit() -> None:
    path = next(path for path in recordings() if path.name.startswith("kubectl-exec-"))
    found = [RUN(app, ["decode", str(path), "-o", "channels"]).stdout for path in recordings() if path.name.startswith("kubectl-exec-ws.2")]
    assert path.exists()
    assert all("← stdout: out" in shown and "exit 3" in shown for shown in found)


def test_a_cut_capture_is_decoded_as_far_as_it_goes_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    with gzip.open(CAPTURES / "curl-h2.1.jsonl.gz", "rt") as whole:
        data = [line for line in whole if '"eof"' not in line]
    path.write_text("".join(data[:-1]))
    (call,) = lines(path, "-o", "jsonl")
    assert not call["complete"]
    (event,) = lines(path, "-o", "audit")
    assert "chaperone.dev/incomplete" in event["annotations"]


def test_a_file_that_is_no_capture_is_named_and_the_others_are_decoded(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all\n")
    files = [tmp_path / "letter.txt", tmp_path / "missing", CAPTURES / "curl-h2.1.jsonl.gz"]
    done = RUN(app, ["decode", "-o", "audit", *map(str, files)])
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1
    assert [str(file) in line for file, line in zip(files, done.stderr.splitlines(), strict=False)] == [True, True]
