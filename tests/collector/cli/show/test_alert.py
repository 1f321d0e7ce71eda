from typing import Any

import pytest
from support.made_alerts import NOW, alert

from chaperone.collector.cli.show.alert import COLUMNS, alert_lines, row, state
from chaperone.collector.enforce.alert import document
from chaperone.collector.times import rfc3339


def shown(*states: str, **changed: Any) -> dict[str, Any]:
    made = alert(1, session={"user": "ann", "lookedUp": {"pod": "default/agent"}, "labels": {"team": "pay"}}, message="a\x1b[31m")
    deliveries = [{"receiver": f"r{number}", "state": name, "told": 1, "why": "why"} for number, name in enumerate(states)]
    more = {"count": 3, "first": rfc3339(NOW), "last": rfc3339(NOW), "acked": None, "deliveries": deliveries}
    return {**document(made), **more, "latest": {"time": "t", "message": "m", "call": "c"}, **changed}


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ((), "kept"),
        (("told",), "told"),
        (("told", "waiting"), "waiting"),
        (("failed", "told"), "failed"),
        (("dropped", "sending"), "dropped"),
    ],
)
def test_the_state_is_that_of_who_is_farthest_behind(states: tuple[str, ...], word: str) -> None:
    assert state(shown(*states)).text == word
    assert state(shown(*states, acked=rfc3339(NOW))).text == "acked"


def test_a_row_has_the_pod_and_how_many() -> None:
    cells = dict(zip(COLUMNS, row(shown("told"), NOW + 5_000_000_000), strict=True))
    assert (cells["AGE"], cells["COUNT"], cells["WORKLOAD"], cells["RULE"]) == ("5s", "3", "default/agent", "surge")


def test_all_of_it_is_said_and_nothing_reaches_the_terminal_raw() -> None:
    whole = "\n".join(alert_lines(shown("told")))
    for wanted in (
        "surge of agents says alert (observe)",
        "Message:     a\\x1b[31m",
        "Alike:       3, the last at t: m",
        "Does:        get secrets/one in default",
        "Asked by:    ann",
        "Process:     /usr/bin/kubectl[7]",
        "Labels:      team=pay",
        "  call.name = one",
        "  r0: told, 1 told (why)",
        f"  chaperone replay {'5' * 32}",
    ):
        assert wanted in whole
    assert "\x1b" not in whole


def test_of_several_collectors_it_is_said_which_told() -> None:
    told = {"deliveries": [{"receiver": "oncall", "state": "told", "told": 1, "why": "", "collector": "b:1"}]}
    assert "  oncall: told, 1 told by b:1" in list(alert_lines(shown() | told))
