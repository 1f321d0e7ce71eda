import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from chaperone.collector.ingest.captures import CaptureError, read_capture
from chaperone.proto.records import Chunk, Direction, Record, SessionEnded, SessionStarted, StreamClosed, StreamOpened

HEAD = {"name": "x", "command": "curl", "alpn": None, "start": 1_700_000_000.5}


def data(t: float, direction: str, content: bytes) -> dict[str, Any]:
    return {"t": t, "d": direction, "b": base64.b64encode(content).decode()}


LINES = [HEAD, data(0.1, "c2s", b"GET"), data(0.2, "s2c", b"HTTP"), data(0.3, "c2s", b" /"), {"t": 0.4, "d": "c2s", "eof": True}]


def written(path: Path, lines: list[Any]) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def records(path: Path) -> list[Record]:
    return list(read_capture(path).records)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_capture_is_a_session_with_one_stream(tmp_path: Path, name: str) -> None:
    capture = read_capture(written(tmp_path / name, LINES))
    assert (capture.name, capture.wall_offset) == ("a", 1_700_000_000_500_000_000)
    found = list(capture.records)
    assert [type(record) for record in found] == [SessionStarted, StreamOpened, Chunk, Chunk, Chunk, StreamClosed, SessionEnded]
    chunks = [record for record in found if isinstance(record, Chunk)]
    assert [(c.direction, c.position, c.data, c.time) for c in chunks] == [
        (Direction.OUT, 0, b"GET", 100_000_000),
        (Direction.IN, 0, b"HTTP", 200_000_000),
        (Direction.OUT, 3, b" /", 300_000_000),
    ]
    closed = next(record for record in found if isinstance(record, StreamClosed))
    assert (closed.time, closed.out_position, closed.in_position) == (400_000_000, 5, 4)


def test_the_same_file_gives_the_same_ids_and_another_name_others(tmp_path: Path) -> None:
    first, again = records(written(tmp_path / "a.jsonl", LINES)), records(written(tmp_path / "a.jsonl.gz", LINES))
    other = records(written(tmp_path / "b.jsonl", LINES))
    assert first == again
    assert first[1].stream != other[1].stream  # type: ignore[union-attr]


def test_unknown_keys_and_faults_are_skipped(tmp_path: Path) -> None:
    lines = [
        HEAD | {"new": 1},
        data(0.1, "c2s", b"x") | {"more": []},
        {"t": 0.2, "d": "s2c", "error": "broken pipe"},
        {"t": 0.3, "what": 1},
    ]
    assert [record.data for record in records(written(tmp_path / "a.jsonl", lines)) if isinstance(record, Chunk)] == [b"x"]


def test_time_never_goes_back(tmp_path: Path) -> None:
    found = records(written(tmp_path / "a.jsonl", [HEAD, data(0.5, "c2s", b"x"), data(0.1, "s2c", b"y")]))
    assert [record.time for record in found if isinstance(record, Chunk)] == [500_000_000, 500_000_000]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], r"a\.jsonl:1: the first line has no start"),
        ([{"name": "x"}], r"a\.jsonl:1: the first line has no start"),
        ([HEAD | {"start": "now"}], r"a\.jsonl:1: start is no time"),
        ([HEAD | {"start": 1e300}], r"a\.jsonl:1: start is no time"),
        ([HEAD, [1]], r"a\.jsonl:2: not a JSON object"),
        ([HEAD, {"d": "c2s", "b": ""}], r"a\.jsonl:2: t is no time"),
        ([HEAD, {"t": 1, "d": "c2s", "b": "!"}], r"a\.jsonl:2: b is no base64"),
        ([HEAD, {"t": 1, "d": "c2s", "b": 7}], r"a\.jsonl:2: b is no base64"),
        ([HEAD, {"t": 1, "d": "up", "b": "eA=="}], r"a\.jsonl:2: d is neither"),
        ([HEAD, {"t": -1, "d": "c2s", "b": ""}], r"a\.jsonl:2: t is no time"),
    ],
)
def test_a_bad_file_is_an_error_with_file_and_line(tmp_path: Path, lines: list[Any], problem: str) -> None:
    with pytest.raises(CaptureError, match=problem):
        records(written(tmp_path / "a.jsonl", lines))


def test_what_is_no_json_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(HEAD).encode() + b"\n\xff\xfe{\n")
    with pytest.raises(CaptureError, match=r"a\.jsonl:2: not JSON"):
        records(path)


def test_a_gzip_file_that_is_cut_off_is_an_error_after_what_was_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl.gz", LINES)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CaptureError, match="cut off"):
        records(path)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_capture(tmp_path / "none.jsonl")
