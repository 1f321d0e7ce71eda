"""The lines of a replay."""

from typing import Any

from conftest import Golden
from support.documents import SECRET, at, body, call, exchange, exec_call, piece, process, session

from chaperone.collector.cli.show.timeline import Timeline, raw, trouble, with_ends


def moment(kind: str, milliseconds: float, document: dict[str, Any]) -> dict[str, Any]:
    return {"at": at(milliseconds), "kind": kind, "document": document}


MOMENTS = [
    moment("session", 0, session()),
    moment("process", 50, process()),
    moment("stream", 90, {"id": "57"}),
    moment("call", 100, call(verb="create", method="POST", requestBody=body(SECRET, masked=1))),
    moment("answer", 103, call(code=403, verb="create")),
    moment("exit", 110, process(status=1)),
    moment("call", 200, exec_call()),
    moment("answer", 210, exec_call(complete=False)),
    moment("piece", 300, piece("stdout", "total\x1b[2J 0\nx", 300)),
    moment("exchange", 350, exchange()),
    moment("loss", 360, {"direction": "in", "position": 5, "size": 10, "cause": "ring full"}),
    moment("note", 361, {"subject": "agent", "text": "memory limit"}),
    moment("end", 500, session()),
]


def test_a_replay_tells_what_happened_in_order(golden: Golden) -> None:
    timeline = Timeline(6, colour=False)
    golden("replay.txt", "\n".join(line for found in with_ends(MOMENTS) for line in timeline.lines(found)) + "\n")


def test_no_recorded_control_character_is_printed() -> None:
    hostile = "x\x1b]0;evil\x07"
    timeline = Timeline(None, colour=False)
    found = [
        moment("session", 0, session(argv=[hostile])),
        moment("process", 0, process(exe=hostile, argv=[hostile])),
        moment("call", 0, call(verb=hostile, requestURI=hostile, namespace=hostile, requestBody=body({hostile: hostile}))),
        moment("answer", 0, call(responseBody=body(hostile, kind=hostile, mediaType=hostile), exit={"code": 1, "reason": hostile})),
        moment("piece", 0, piece(hostile, hostile, 0)),
        moment("exchange", 0, exchange(path=hostile, authority=hostile, reason=hostile)),
        moment("note", 0, {"subject": hostile, "text": hostile}),
    ]
    assert not any("\x1b" in line or "\x07" in line for one in found for line in timeline.lines(one))


def test_an_end_behind_all_other_moments_is_told_too() -> None:
    kinds = [found["kind"] for found in with_ends(MOMENTS[6:9])]
    assert kinds == ["call", "answer", "piece", "over"]


def test_bodies_can_be_left_out() -> None:
    assert len(Timeline(0, colour=False).lines(moment("answer", 0, call()))) == 1


def test_raw_bytes_are_as_recorded() -> None:
    assert raw(piece("stdout", "a\x1b[2J", 0)) == b"a\x1b[2J"
    binary = piece("stdout", "", 0)
    binary["body"] |= {"encoding": "base64", "data": "AP8="}
    assert raw(binary) == b"\x00\xff"


def test_trouble_is_one_sentence() -> None:
    assert trouble({"direction": "in", "position": 7, "size": 0, "reason": "bad frame"}) == "not readable (in at 7): bad frame"


def test_an_approval_is_told_with_everybody_s_word() -> None:
    found = {
        "id": "ab" * 16,
        "state": "denied",
        "alert": {"rule": "roles"},
        "votes": [{"who": "unix:root", "approves": False, "why": "no\x1b"}],
    }
    first, second = Timeline(None, colour=False).lines(moment("approval", 5, found))
    assert first.endswith("approval abababab of roles: denied") and second.endswith("unix:root denies: no\\x1b")
