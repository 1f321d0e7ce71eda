"""Rows and calls for tests of the store, made from few facts; calls go through the real gate."""

from typing import Any

from chaperone.collector.kube.call import Body, Call, Form, RequestInfo, User, UserSource
from chaperone.collector.mask.masked import MaskedCall
from chaperone.collector.mask.masker import Masker
from chaperone.collector.store.document import Place, call_document
from chaperone.collector.store.facts import Command
from chaperone.collector.store.rows import Kind, Row
from chaperone.collector.times import SECOND
from chaperone.collector.wire.exchange import Phase
from chaperone.proto.ids import StreamId, call_id

OFFSET = 1_700_000_000 * SECOND
SESSION = "5e" * 16
STREAM = StreamId("57" * 16)
NO_COMMAND = Command((), Masker(b"k" * 32).text(""), {})
PROCESS = {"id": "9c" * 16, "pid": 42, "exe": "/usr/bin/kubectl", "argv": ["kubectl", "get", "pods"]}


def made_call(position: int = 0, **changes: Any) -> Call:
    info = RequestInfo("get", True, "", "v1", "pods", "", "default", changes.pop("name", "web"))
    facts: dict[str, Any] = {
        "position": position,
        "phase": Phase.END,
        "at": 100,
        "started": position * SECOND,
        "requested": position * SECOND + 1,
        "answered": position * SECOND + 2,
        "ended": position * SECOND + 1_500_000,
        "protocol": "h2",
        "method": "GET",
        "request_uri": "/api/v1/namespaces/default/pods/web",
        "authority": "api.test:6443",
        "info": info,
        "user": User("agent", UserSource.CLAIMED),
        "user_agent": "kubectl/v1.37",
        "request_headers": (("accept", "application/json"), (None, None)),
        "request_body": None,
        "code": 200,
        "response_headers": (("audit-id", "a-1"),),
        "response_body": json_body(b'{"kind":"Pod","apiVersion":"v1"}'),
        "audit_id": "a-1",
        "bytes_out": 10,
        "bytes_in": 20,
        "complete": True,
    }
    return Call(**(facts | changes))


def json_body(data: bytes) -> Body:
    return Body(Form.JSON, "application/json", len(data), len(data), True, data, kind="Pod", api_version="v1", object={})


def masked(call: Call) -> MaskedCall:
    return Masker(b"k" * 32).call(call)


def call_row(position: int = 0, session: str = SESSION, **changes: Any) -> Row:
    call = masked(made_call(position, **changes))
    document = call_document(call, call_id(STREAM, position), Place(session, STREAM, PROCESS, OFFSET))
    return Row(Kind.CALL, session, document["id"], call.phase, call.at, call.started + OFFSET, document, STREAM, PROCESS["id"])


def body_row(data: str, position: int = 0) -> Row:
    """A call whose answer is `data`, whatever a gate would do to it."""
    row = call_row(position)
    row.document["responseBody"]["data"] = data
    return row


def session_rows(session: str = SESSION, time: int = OFFSET, ended: bool = True) -> list[Row]:
    begun = Row(Kind.SESSION, session, session, 1, 0, time, {"id": session, "time": "2023-11-14T22:13:20.000000000Z", "apiservers": []})
    over = Row(Kind.SESSION, session, session, 4, 1, time, {"ended": "2023-11-14T22:13:21.000000000Z", "status": 0})
    return [begun, over] if ended else [begun]
