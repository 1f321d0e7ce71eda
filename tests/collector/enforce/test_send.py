import asyncio
import json
from pathlib import Path

import pytest
from support.made_alerts import alert, slack, to, webhook
from support.receivers import serving

from chaperone.collector.enforce.alert import document
from chaperone.collector.enforce.alerting import JsonLines, Receiver
from chaperone.collector.enforce.message import Entry, Kind, Message
from chaperone.collector.enforce.outcome import Fate
from chaperone.collector.enforce.send import send, tried

MESSAGE = Message("m", Kind.FIRST, (Entry(document(alert()), 1, 0, {"time": "t", "message": "m", "call": "c"}),))


def test_each_kind_of_receiver_gets_it_in_its_own_form(tmp_path: Path) -> None:
    with serving() as one, serving() as two:
        receivers = (slack(one.url), webhook(two.url), Receiver("file", JsonLines(str(tmp_path / "x")), None))
        assert [asyncio.run(send(receiver, MESSAGE)).fate for receiver in receivers] == [Fate.SENT] * 3
        assert "blocks" in one.got[0].document
        assert two.got[0].document == json.loads((tmp_path / "x").read_text()) == MESSAGE.document()


def test_a_test_message_goes_to_the_one_that_is_named_or_to_all() -> None:
    with serving() as one, serving(500) as two:
        alerting = to(slack(one.url), webhook(two.url))
        assert [(found.receiver, found.outcome.fate) for found in asyncio.run(tried(alerting, None))] == [
            ("slack", "sent"),
            ("hook", "later"),
        ]
        assert [found.receiver for found in asyncio.run(tried(alerting, "slack"))] == ["slack"]
        assert (len(one.got), len(two.got), two.got[0].document["kind"]) == (2, 1, "test")


def test_a_name_that_nobody_has_is_said() -> None:
    with pytest.raises(ValueError, match="no receiver is called 'x'; there are slack"):
        asyncio.run(tried(to(slack("https://s.test/")), "x"))
    with pytest.raises(ValueError, match="there are no receivers"):
        asyncio.run(tried(to(), None))
