import json
from dataclasses import replace

from support.made_rows import OFFSET, PROCESS, SESSION, STREAM, json_body, made_call, masked

from chaperone.collector.kube.call import Exit, NotKubernetes, Piece, User, UserSource
from chaperone.collector.mask.masker import Masker
from chaperone.collector.store.document import (
    Place,
    call_document,
    exchange_document,
    piece_document,
    process_document,
)
from chaperone.collector.wire.exchange import Gap, Phase
from chaperone.proto.ids import ProcessId, SessionId
from chaperone.proto.records import ProcessSeen

PLACE = Place(SESSION, STREAM, PROCESS, OFFSET)
PROMISED = (
    "id session stream time duration_ms process userAgent user verb requestURI apiGroup apiVersion resource subresource namespace name code"
    " bytes complete gaps method userSource auditID ambiguous exit hasRequestObject hasResponseObject requestBody responseBody"
)


def test_a_call_has_every_promised_key() -> None:
    document = call_document(masked(made_call()), "id", PLACE)
    assert set(PROMISED.split()) <= set(document)
    assert document["process"] == PROCESS
    assert document["bytes"] == {"out": 10, "in": 20}
    assert document["duration_ms"] == 1.5


def test_a_call_is_json_and_nothing_of_it_is_lost() -> None:
    call = made_call(
        gaps=(Gap("in", 5, 7, "ring full"),),
        exit=Exit(3, "NonZeroExitCode"),
        user=User("a", UserSource.CLAIMED, "b", ("g",), "", (("k", "v"),)),
        ambiguous=("duplicate key",),
    )
    document = json.loads(json.dumps(call_document(masked(call), "id", PLACE)))
    assert document["gaps"] == [{"direction": "in", "position": 5, "size": 7, "reason": "ring full"}]
    assert document["exit"] == {"code": 3, "reason": "NonZeroExitCode"}
    assert document["impersonated"] == {"user": "b", "groups": ["g"], "uid": "", "extra": [["k", "v"]]}
    assert document["requestHeaders"] == [["accept", "application/json"], [None, None]]
    assert document["ambiguous"] == ["duplicate key"]


def test_what_has_not_happened_yet_is_null() -> None:
    document = call_document(masked(made_call(phase=Phase.REQUEST, ended=None, answered=None, code=None, response_body=None)), "id", PLACE)
    assert [document[key] for key in ("ended", "answered", "duration_ms", "code", "responseBody")] == [None] * 5
    assert document["phase"] == "request"


def test_a_body_that_is_no_text_is_base64() -> None:
    piece = Piece("stdout", "in", 5, 6, json_body(b"\xff\xfe"))
    [shown] = masked(made_call(pieces=(piece,), phase=Phase.END)).pieces[:1]
    document = piece_document(shown, "call", PLACE)
    assert document["channel"] == "stdout" and document["direction"] == "in"
    assert document["body"]["encoding"] in ("utf-8", "base64")


def test_an_exchange_of_something_else_has_no_headers_and_no_body() -> None:
    other = NotKubernetes(0, Phase.END, 9, 1, 2, "http/1.1", "GET", "pypi.org", "/simple", 200, 1, 2, True, "not kubernetes")
    document = exchange_document(Masker(b"k" * 32).exchange(other), "id", PLACE)
    assert document["path"] == "/simple" and document["authority"] == "pypi.org"
    assert not {"requestHeaders", "requestBody", "responseBody", "requestURI"} & set(document)


def test_a_process_names_its_session_and_parent() -> None:
    seen = ProcessSeen(ProcessId("p"), SessionId("s"), 1, 42, "/bin/sh", ("sh",), "/", 0, ProcessId("q"))
    document = process_document(Masker(b"k" * 32).process(seen), OFFSET)
    assert (document["id"], document["session"], document["pid"], document["parent"]) == ("p", "s", 42, "q")
    assert "argvCut" not in document


def test_a_command_line_that_is_not_all_is_marked_in_its_process_and_in_its_calls() -> None:
    seen = ProcessSeen(ProcessId("p"), SessionId("s"), 1, 42, "/bin/sh", ("sh", "-c"), argv_cut=True)
    process = process_document(Masker(b"k" * 32).process(seen), OFFSET)
    assert process["argvCut"] is True
    other = NotKubernetes(0, Phase.END, 9, 1, 2, "http/1.1", "GET", "pypi.org", "/simple", 200, 1, 2, True, "not kubernetes")
    document = exchange_document(Masker(b"k" * 32).exchange(other), "id", replace(PLACE, process=process))
    assert document["process"] == {"id": "p", "pid": 42, "exe": "/bin/sh", "argv": ["sh", "-c"], "argvCut": True}
