import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jsonschema
from support.approving import asking, yes
from support.made_alerts import KEY, alert, webhook
from support.receivers import serving

from chaperone.collector.enforce.alert import document
from chaperone.collector.enforce.alerting import Webhook
from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.news import news
from chaperone.collector.enforce.message import Entry, Kind, Message, trial
from chaperone.collector.enforce.webhook import send, signature

ROOT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/alert.schema.json").read_text())


def message(number: int = 1, **changed: Any) -> Message:
    made = alert(number, **changed)
    return Message(made.id, Kind.FIRST, (Entry(document(made), 3, 0, {"time": made.time, "message": "m", "call": made.call}),))


def posted(message: Message) -> Any:
    with serving() as server:
        to = webhook(server.url).to
        assert isinstance(to, Webhook)
        asyncio.run(send(to, message, 1_700_000_000))
        return server.got[0]


def test_the_signature_is_over_time_and_body() -> None:
    got = posted(message())
    signed = b"v1:1700000000:" + got.body
    assert got.headers["Chaperone-Timestamp"] == "1700000000"
    assert got.headers["Chaperone-Signature"] == "v1=" + hmac.new(KEY.reveal().encode(), signed, hashlib.sha256).hexdigest()
    assert got.headers["Chaperone-Message"] == got.document["id"] == message().id
    assert signature(b"k", 1, b"x") != signature(b"k", 2, b"x") != signature(b"l", 2, b"x")


def test_the_body_is_what_the_schema_says() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    strange = message(name="\ud800\x00<&>", userAgent=None, session={"labels": {"team": "pay"}})
    book = Book()
    book.ask(asking(1), 1)
    book.vote(book.changed[0].id, yes(time=2))
    told = [found for one in book.take() if (found := news(one))]
    approvals = [Message(one.id, Kind.FIRST, (Entry(document(one), 1, 0, {"time": "", "message": "", "call": ""}),)) for one in told]
    for one in (message(), strange, *approvals, trial("ab" * 16, "2026-01-02T03:04:05.000000000Z")):
        jsonschema.validate(posted(one).document, SCHEMA)


def test_the_schema_refuses_what_is_not_said_there() -> None:
    good = message().document()
    for bad in (good | {"extra": 1}, {**good, "id": None}, {**good, "alerts": [{**good["alerts"][0], "count": 0}]}):
        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(bad)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(good)
