import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.approving import NOW, no, yes
from support.approving import asking as made_asking
from support.made_alerts import alert, slack
from support.receivers import serving

from chaperone.collector.enforce.alert import Alert, document
from chaperone.collector.enforce.alerting import Endpoint, Slack
from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.news import news
from chaperone.collector.enforce.message import LISTED, Entry, Kind, Message, trial
from chaperone.collector.enforce.outcome import Fate
from chaperone.collector.enforce.secret import Secret
from chaperone.collector.enforce.slack import payload, send, what

SESSION = {"user": "ann", "node": "n1", "lookedUp": {"pod": "default/agent"}}
LAST = {"time": "2026-01-02T03:04:09.000000000Z", "message": "again", "call": "c"}


def message(count: int = 1, before: int = 0, **changed: Any) -> Message:
    made = alert(1, session=SESSION, **changed)
    return Message(made.id, Kind.MORE if before else Kind.FIRST, (Entry(document(made), count, before, LAST),))


def digest(size: int, **changed: Any) -> Message:
    entries = tuple(Entry(document(alert(number, **changed)), 5, 0, LAST) for number in range(size))
    return Message("d", Kind.DIGEST, entries[:LISTED], size - LISTED if size > LISTED else 0, dropped=4)


def texts(found: dict[str, Any]) -> list[str]:
    """All texts of a payload's blocks."""
    return [str(node["text"]) for node in nodes(found) if isinstance(node.get("text"), str)]


def nodes(tree: Any) -> list[dict[str, Any]]:
    below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return ([tree] if isinstance(tree, dict) else []) + [node for value in below for node in nodes(value)]


def assert_within_limits(found: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/block-kit/blocks: the numbers there."""
    assert len(found["blocks"]) <= 50
    for block in found["blocks"]:
        if block["type"] == "header":
            assert len(block["text"]["text"]) <= 150
        if block["type"] == "section":
            assert len(block.get("text", {"text": ""})["text"]) <= 3000
            assert len(block.get("fields", [])) <= 10
            assert all(0 < len(field["text"]) <= 2000 for field in block.get("fields", []))
        if block["type"] == "context":
            assert 0 < len(block["elements"]) <= 10
    assert all(len(text) > 0 for text in texts(found))


def test_a_message_says_what_who_where_and_how_to_replay() -> None:
    whole = "\n".join(texts(payload(message())))
    for wanted in (
        "HIGH: surge", "secrets &lt;read&gt; &amp; more", "`get secrets/one in default`", "`alice (unknown), run by ann`",
        "`default/agent`", "`/usr/bin/kubectl [7]`", "kubectl get secrets", "call.name = one", f"chaperone replay {'5' * 32}",
        "`T1609`", "`alert (observe)`",
    ):  # fmt: skip
        assert wanted in whole
    assert payload(message())["text"] == "[high] surge: secrets &lt;read&gt; &amp; more"


def test_more_like_this_is_said_with_its_number() -> None:
    assert "*39999 more like this* at the same time, 40000 in all" in "\n".join(texts(payload(message(40_000))))
    assert "*30 more like this* since then, 50 in all" in "\n".join(texts(payload(message(50, 20))))
    assert "more like this" not in "\n".join(texts(payload(message())))


def test_a_digest_lists_some_and_counts_the_rest() -> None:
    found = payload(digest(200))
    assert_within_limits(found)
    whole = "\n".join(texts(found))
    assert "200 alerts" in whole and "180 more; chaperone alerts list" in whole and "4 further alerts were dropped" in whole
    assert whole.count("5 times") == 20


@given(st.text(max_size=60), st.integers(1, 90))
def test_no_text_of_a_workload_breaks_limits_or_becomes_markup(text: str, times: int) -> None:
    hostile = (text + "<!channel>`*&") * times
    for one in (
        message(message=hostile, name=hostile, user=hostile, requestURI=hostile, rule=hostile),
        digest(3, message=hostile, rule=hostile),
    ):
        found = payload(one)
        assert_within_limits(found)
        assert not any("<" in part or ">" in part for part in texts(found))


def test_what_is_no_kubernetes_call_is_shown_by_method_and_address() -> None:
    made = document(alert())
    other = {"verb": "", "resource": "", "method": "PUT", "authority": "evil.test", "uri": "/x"}
    assert what({**made, "what": made["what"] | other}) == "PUT evil.test/x"
    connection = {**other, "method": "", "authority": "10.0.0.9:443", "uri": ""}
    assert what({**made, "what": made["what"] | connection}) == "connect to 10.0.0.9:443"
    exec_ = {"verb": "create", "subresource": "exec", "resource": "pods", "apiGroup": "", "name": "p", "namespace": ""}
    assert what({**made, "what": made["what"] | exec_}) == "create pods/p/exec"


def test_it_is_posted_as_json() -> None:
    with serving() as server:
        to = slack(server.url).to
        assert isinstance(to, Slack)
        for one in (message(), trial("m", "2026-01-02T03:04:05.000000000Z")):
            asyncio.run(send(to, one))
        assert [got.document["blocks"][0]["type"] for got in server.got] == ["header", "header"]
        assert "test" in json.dumps(server.got[1].document)


def asking(*words: str) -> Alert:
    """What is told of an approval after these words."""
    book = Book()
    about = {"command": "env <b>bash</b>", "shell": "bash, interactive", "diff": ['+ rules.[0].verbs: ["*"]']}
    one = made_asking(1)
    book.ask(replace(one, alert=replace(one.alert, approval=about)), NOW)
    for word in words:
        book.vote(book.changed[0].id, (yes if word == "yes" else no)(why="planned in CHG-1"))
    found = news(book.changed[-1])
    assert found
    return found


def test_an_approval_says_what_a_person_needs_to_decide() -> None:
    told = asking()
    found = payload(Message(told.id, Kind.FIRST, (Entry(document(told), 1, 0, LAST),)))
    assert_within_limits(found)
    whole = "\n".join(texts(found))
    for wanted in (
        "APPROVAL WANTED: roles", "*A shell (bash, interactive)*", "env &lt;b&gt;bash&lt;/b&gt;", "+ rules.[0].verbs",
        "roles: 1 of unix:root, user:ann", "chaperone approvals approve", "ask for approval (enforce)",
    ):  # fmt: skip
        assert wanted in whole
    assert "Said" not in whole and "http" not in whole, "deciding is no link"


def test_its_outcome_says_whose_word_it_was_and_why() -> None:
    told = asking("no")
    whole = "\n".join(texts(payload(Message(told.id, Kind.FIRST, (Entry(document(told), 1, 0, LAST),)))))
    assert "APPROVAL DENIED: roles" in whole and "unix:root denies: planned in CHG-1" in whole
    assert "Wants" not in whole and "approvals approve" not in whole


def bot(url: str) -> Slack:
    return Slack(Endpoint(Secret(url + "/"), timeout_s=30), Secret("xoxb-s3cret"), "C0123456789")


SAID = json.dumps({"ok": True, "channel": "C0123456789", "ts": "1700000000.000100"}).encode()


def wanted(replaces: str = "") -> Message:
    told = asking()
    return Message(told.id, Kind.FIRST, (Entry(document(told), 1, 0, LAST),), replaces=replaces)


def test_with_a_token_a_message_is_posted_and_then_rewritten() -> None:
    with serving(body=SAID) as server:
        first = asyncio.run(send(bot(server.url), wanted()))
        assert (first.fate, first.handle) == (Fate.SENT, "C0123456789 1700000000.000100")
        asyncio.run(send(bot(server.url), wanted(first.handle)))
    post, update = server.got
    assert post.path.endswith("/chat.postMessage") and post.headers["Authorization"] == "Bearer xoxb-s3cret"
    assert (post.document["channel"], update.path.rpartition("/")[2]) == ("C0123456789", "chat.update")
    assert (update.document["channel"], update.document["ts"]) == ("C0123456789", "1700000000.000100")
    assert_within_limits(update.document)


SLACK_SAYS = {
    b'{"ok": false, "error": "ratelimited"}': (Fate.LATER, "Slack says ratelimited"),
    b'{"ok": false, "error": "invalid_blocks"}': (Fate.REFUSED, "Slack says invalid_blocks"),
    b'{"ok": false, "error": "<b>s3cret</b>"}': (Fate.LATER, "Slack says an error"),
    b"<html>": (Fate.LATER, "it answered something that is not Slack's"),
    b'{"ok": true}': (Fate.LATER, "it answered something that is not Slack's"),
    b"[]": (Fate.LATER, "it answered something that is not Slack's"),
}


@pytest.mark.parametrize("said", SLACK_SAYS)
def test_what_slack_will_not_do_is_said_without_its_words(said: bytes) -> None:
    with serving(body=said) as server:
        found = asyncio.run(send(bot(server.url), wanted()))
    assert (found.fate, found.why) == SLACK_SAYS[said]


def test_one_that_can_not_be_rewritten_any_more_is_posted_anew() -> None:
    with serving(body=b'{"ok": false, "error": "message_not_found"}') as server:
        asyncio.run(send(bot(server.url), wanted("C0 1")))
    assert [got.path.rpartition("/")[2] for got in server.got] == ["chat.update", "chat.postMessage"]
