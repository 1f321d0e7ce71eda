"""docs/alerts.md: its file is read, its snippet verifies real requests, and its schema is that of what is sent."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.made_alerts import KEY, alert, webhook
from support.receivers import serving

from chaperone.collector.enforce.alert import document
from chaperone.collector.enforce.alerting import Webhook, alerting
from chaperone.collector.enforce.message import Entry, Kind, Message
from chaperone.collector.enforce.webhook import send

DOCS = (Path(__file__).parents[1] / "docs/alerts.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    return str(found)


def genuine(headers: dict[str, str], body: bytes, key: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    return bool(names["is_genuine"](headers, body, key))


def test_the_file_in_the_docs_is_read(tmp_path: Path) -> None:
    for name in ("slack-url", "slack-token", "siem-key", "ours.pem"):
        (tmp_path / name).write_text("https://hooks.slack.com/services/T0/B0/x")
    text = re.sub(r"/etc/(?:chaperone|ssl/certs)/", f"{tmp_path}/", block("yaml"))
    found = alerting(text, "docs")
    assert [receiver.name for receiver in found.receivers] == ["oncall", "approvers", "siem", "file"]


def test_the_snippet_takes_what_we_send_and_nothing_else() -> None:
    made = alert()
    message = Message(made.id, Kind.FIRST, (Entry(document(made), 1, 0, {"time": "t", "message": "m", "call": "c"}),))
    key = KEY.reveal().encode()
    with serving() as server:
        to = webhook(server.url).to
        assert isinstance(to, Webhook)
        asyncio.run(send(to, message, int(time.time())))
        asyncio.run(send(to, message, int(time.time()) - 3600))
        fresh, old = server.got
    assert genuine(fresh.headers, fresh.body, key)
    assert not genuine(fresh.headers, fresh.body + b" ", key)
    assert not genuine(fresh.headers, fresh.body, b"another key")
    assert not genuine({**fresh.headers, "Chaperone-Timestamp": old.headers["Chaperone-Timestamp"]}, fresh.body, key)
    assert not genuine(old.headers, old.body, key)


@pytest.mark.parametrize("name", ["grouping: {by: [policy, rule, account], again: 1m, quiet: 15m}", "outbox: {keep: 10000, waiting: 1000}"])
def test_the_defaults_are_those_in_the_docs(name: str) -> None:
    head = "apiVersion: chaperone.dev/v1\nkind: Alerting\nreceivers: []\n"
    assert name in block("yaml")
    assert alerting(head + name, "docs") == alerting(head, "docs")
