import gzip
import json

import pytest
from support import protobufs
from support.talks import HOST, JSON, PROTOBUF, all_pieces, answered, asked, chunked, final, talk

from chaperone.collector.kube import recognise
from chaperone.collector.kube.body import Budget
from chaperone.collector.kube.call import Call, Form, UserSource
from chaperone.collector.kube.ongoing import Ongoing
from chaperone.collector.wire.events import Data, End, Protocol, Request, Response
from chaperone.collector.wire.exchange import Exchange, Exchanges, Phase
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN

SECRETS = "/api/v1/namespaces/d/secrets"
EVENTS = [json.dumps({"type": kind, "object": {"kind": "Secret", "metadata": {}}}).encode() + b"\n" for kind in ("ADDED", "BOOKMARK")]


def test_a_call_is_reported_at_its_request_its_answer_and_its_end() -> None:
    found = talk(asked("POST", SECRETS, b'{"kind":"Secret","metadata":{"name":"a"}}'), answered(201, b'{"kind":"Secret"}', Audit_Id="id-1"))
    calls = [call for call in found if isinstance(call, Call)]
    assert [call.phase for call in calls] == [Phase.REQUEST, Phase.RESPONSE, Phase.END]
    request, response, end = calls
    assert (request.info.name, request.code, request.response_body) == ("a", None, None)
    assert request.request_body is not None
    assert (response.code, response.audit_id, response.response_body) == (201, "id-1", None)
    assert end.request_body is request.request_body
    assert end.response_body is not None
    assert (end.response_body.kind, end.complete, end.gaps) == ("Secret", True, ())


def test_watch_events_are_reported_as_they_come_and_only_once() -> None:
    found = talk(asked("GET", SECRETS + "?watch=1"), *chunked(200, EVENTS))
    calls = [call for call in found if isinstance(call, Call)]
    assert [(call.phase, len(call.pieces)) for call in calls][-3:] == [(Phase.STREAM, 1), (Phase.STREAM, 1), (Phase.END, 0)]
    assert [piece.body.object["type"] for piece in all_pieces(found)] == ["ADDED", "BOOKMARK"]
    body = final(found).response_body
    assert body is not None
    assert (body.data, body.size, body.complete) == (b"", sum(map(len, EVENTS)), True)


def test_a_watchlist_in_gzip_members_is_a_stream_of_events() -> None:
    found = talk(
        asked("GET", SECRETS + "?watch=1&sendInitialEvents=true"), *chunked(200, list(map(gzip.compress, EVENTS)), Content_Encoding="gzip")
    )
    assert [piece.body.kind for piece in all_pieces(found)] == ["Secret", "Secret"]


def test_a_protobuf_watch_is_cut_at_its_frames() -> None:
    frames = protobufs.watch_event("ADDED", protobufs.secret("a", {})) + protobufs.watch_event("DELETED", protobufs.secret("b", {}))
    found = talk(asked("GET", SECRETS + "?watch=1"), *chunked(200, [frames[:9], frames[9:]], PROTOBUF + ";stream=watch"))
    assert [piece.body.object.text(1) for piece in all_pieces(found)] == ["ADDED", "DELETED"]


def test_a_refused_watch_is_one_answer() -> None:
    found = talk(asked("GET", SECRETS + "?watch=1"), answered(410, b'{"kind":"Status","reason":"Expired"}'))
    assert all_pieces(found) == []
    body = final(found).response_body
    assert body is not None
    assert body.object["reason"] == "Expired"


@pytest.mark.parametrize("target", ["/api/v1/namespaces/d/pods/p/log?follow=true", "/api/v1/nodes/n/proxy/containerLogs/d/p/c"])
def test_logs_are_text_as_it_comes(target: str) -> None:
    found = talk(asked("GET", target), *chunked(200, [b"one\n", b"tw\xc3"], "text/plain"))
    assert [(piece.channel, piece.body.data) for piece in all_pieces(found)] == [("log", b"one\n"), ("log", b"tw\xc3")]


def test_a_refused_log_is_a_status() -> None:
    body = final(talk(asked("GET", "/api/v1/namespaces/d/pods/p/log"), answered(400, b'{"kind":"Status"}'))).response_body
    assert body is not None
    assert body.kind == "Status"


def test_a_backend_behind_a_proxy_may_say_anything() -> None:
    call = final(
        talk(asked("POST", "/api/v1/namespaces/d/services/s:80/proxy/x", b"\x00\x01", Content_Type="a/b"), answered(200, b"ok", "c/d"))
    )
    assert call.ambiguous == ()
    assert (call.info.subresource, call.info.name) == ("proxy", "s:80")
    assert call.request_body is not None
    assert (call.request_body.form, call.request_body.size) == (Form.BINARY, 2)


def test_a_body_without_type_is_json_for_the_apiserver_but_not_for_a_patch() -> None:
    call = final(talk(asked("POST", SECRETS, b'{"kind":"Secret","metadata":{"name":"a"}}'), answered(201)))
    assert (call.info.name, call.ambiguous) == ("a", ())
    assert final(talk(asked("PATCH", SECRETS + "/a", b"{}"), answered(415))).ambiguous == ("an unknown media type",)


def test_a_coded_request_is_said_and_not_decoded() -> None:
    call = final(talk(asked("POST", SECRETS, gzip.compress(b"{}"), Content_Encoding="gzip", Content_Type=JSON), answered(400)))
    assert "a request with a content coding, which the apiserver does not take off" in call.ambiguous
    assert call.request_body is not None
    assert call.request_body.form is Form.BINARY


def test_doubts_of_head_and_bodies_are_the_calls() -> None:
    call = final(talk(asked("POST", "/api/v1/namespaces/d%2Fe/secrets", b'{"a":1,"a":2}'), answered(201, b'{"b":1,"b":2}', "x/y")))
    assert set(call.ambiguous) == {"%2F in the path splits a segment", "a JSON key is repeated", "an unknown media type"}


def test_what_401_and_403_say_about_the_user() -> None:
    refused = b'{"kind":"Status","message":"secrets is forbidden: User \\"jane\\" cannot list resource"}'
    assert final(talk(asked("GET", SECRETS), answered(401))).user.name == ""
    certified = final(talk(asked("GET", SECRETS), answered(403, refused))).user
    assert (certified.name, certified.source) == ("jane", UserSource.UNKNOWN)
    impersonating = final(talk(asked("GET", SECRETS, Impersonate_User="jane"), answered(403, refused))).user
    assert (impersonating.name, impersonating.impersonated) == ("system:anonymous", "jane")
    assert final(talk(asked("GET", SECRETS), answered(200))).user.name == "system:anonymous"


def test_kubectl_says_its_command_and_session() -> None:
    call = final(talk(asked("GET", SECRETS, Kubectl_Command="kubectl get", Kubectl_Session="s-1"), answered(200)))
    assert (call.kubectl_command, call.kubectl_session) == ("kubectl get", "s-1")


def test_a_request_cut_off_has_an_incomplete_body() -> None:
    call = final(talk(asked("POST", SECRETS, b'{"kind":"Secret"}', Content_Type=JSON)[:-5]))
    assert not call.complete
    assert call.request_body is not None
    assert (call.request_body.complete, call.request_body.object, call.request_body.kind) == (False, None, "Secret")


def test_an_open_exchange_is_not_reported() -> None:
    exchange = Exchange(0, Phase.OPEN, 0, None, None, None, 0, None, None, None, 0, 0, True)
    assert Ongoing(Budget()).take(exchange) is None


def test_a_body_behind_hidden_fields_is_read_as_it_looks_and_that_is_said() -> None:
    """A plain request without Content-Type is JSON; one whose Content-Type may be hidden need not be."""
    hidden = Request(0, 1, Protocol.HTTP2, "POST", SECRETS, HOST, ((None, None),))
    answer = Response(0, 0, 2, 201, (("content-type", JSON), (None, None)))
    body, packed = b"k8s\0\n\x0c\n\x02v1\x12\x06Secret\x12\0", gzip.compress(b'{"kind":"Secret"}')
    news = [Data(0, OUT, 9, 1, body), End(0, OUT, 20, 1), answer, Data(0, IN, 9, 2, packed), End(0, IN, 99, 2)]
    exchanges, ongoing = Exchanges(), Ongoing(Budget())
    *_, call = [ongoing.take(each) for each in exchanges.add([hidden, *news])]
    assert call is not None
    assert call.request_body is not None
    assert call.response_body is not None
    assert (call.request_body.form, call.request_body.kind) == (Form.PROTOBUF, "Secret")
    assert call.response_body.object == {"kind": "Secret"}
    assert recognise.UNKNOWN_TYPE in call.ambiguous
