"""Judging: each event once, in order of time, the same again from what was stored, and on after a restart."""

import random
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.conversations import Conversation, pods
from support.judged_events import CALL
from support.judging import OFFSET, again, judged_pipeline, newest, recalled, said, taken
from support.policies import EXAMPLE, HEAD, rules

from chaperone.collector.ingest.policies import DEFAULT, read_policies
from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.ruleset import Rules, arranged, ruleset
from chaperone.collector.rules.verdict import Action, Moment
from chaperone.collector.store.rows import Kind, Row
from chaperone.proto.ids import ConnectionId
from chaperone.proto.records import Connection, Record, SessionStarted

SERVER, ELSEWHERE = "192.0.2.1:6443", "198.51.100.7:443"
COUNTS = """- {name: three-lists, when: call.verb == "list", count: 3, within: 1m, do: alert}
- {name: kinds, when: call.resource != "", count: 2, within: 1m, distinct: call.resource, do: alert}
- name: surge
  when: 'call.resource == "secrets"'
  count: 4
  countOf: objects
  within: 1m
  then: {when: egress.external, within: 1m}
  do: alert
- {name: refused, when: call.code == 403, do: alert}
- {name: body, when: call.body.spec.x == 1, do: deny}
"""
ALL = ruleset([*arranged(read_policies([DEFAULT])), *rules(COUNTS)])


def begun(one: Conversation) -> list[Record]:
    first, *rest = one.begun()
    assert isinstance(first, SessionStarted)
    return [SessionStarted(first.session, first.workload, first.time, first.user, first.argv, apiservers=(SERVER,)), *rest]


def connected(one: Conversation, remote: str) -> Record:
    time = one.tick()
    return Connection(ConnectionId(f"{time:032x}"), one.session, one.process, time, 9, "192.0.2.9:40000", remote, "tcp")


def secrets(count: int) -> dict[str, Any]:
    return {"kind": "SecretList", "apiVersion": "v1", "items": [{"metadata": {"name": f"s{n}"}} for n in range(count)]}


def steps(one: Conversation, chosen: list[int]) -> list[Record]:
    """A session of these steps."""
    found: list[Record] = []
    for step in chosen:
        kind, size = step % 6, 1 + step // 6
        if kind == 0:
            found += one.exchange("/api/v1/namespaces/default/secrets", secrets(size))
        elif kind == 1:
            found += one.exchange("/api/v1/pods", pods(size))
        elif kind == 2:
            found += [one.request("/api/v1/namespaces/default/configmaps", "POST", b'{"spec": {"x": 1}}'), one.answer({}, 201)]
        elif kind == 3:
            found += [one.request("/api/v1/nodes"), one.answer({"kind": "Status", "code": 403}, 403)]
        elif kind == 4:
            found += [connected(one, ELSEWHERE)]
        else:
            found += one.exchange("/api/v1/namespaces/default/pods/web", {"kind": "Pod", "metadata": {"name": "web"}, "spec": {}})
    return found


def cut(records: list[Record], cuts: list[int]) -> list[list[Record]]:
    edges = sorted({0, len(records), *(cut % (len(records) + 1) for cut in cuts)})
    return [records[a:b] for a, b in pairwise(edges)]


def session_of(rows: list[Row]) -> dict[str, Any]:
    return next(row.document for row in rows if row.kind is Kind.SESSION)


STEPS = st.lists(st.integers(0, 29), min_size=1, max_size=12)
CUTS = st.lists(st.integers(0, 60), max_size=6)


@settings(max_examples=60, deadline=None)
@given(STEPS, CUTS)
def test_a_stored_session_judged_again_gives_the_same_verdicts(chosen: list[int], cuts: list[int]) -> None:
    one = Conversation()
    pipeline, rows = judged_pipeline(ALL)
    taken(pipeline, [begun(one), *cut(steps(one, chosen), cuts), one.ended()])
    assert again(rows, session_of(rows), ALL) == said(rows)


@settings(max_examples=40, deadline=None)
@given(STEPS, CUTS, st.integers(0, 60))
def test_a_restart_anywhere_between_batches_changes_no_verdict(chosen: list[int], cuts: list[int], died: int) -> None:
    def batches() -> list[list[Record]]:
        one = Conversation()
        return [begun(one), *cut(steps(one, chosen), cuts), one.ended()]

    whole, expected = judged_pipeline(ALL)
    taken(whole, batches())
    first, rows = judged_pipeline(ALL)
    at = 1 + died % (len(batches()) - 1)
    taken(first, batches()[:at])
    second, more = judged_pipeline(ALL)
    past, docket = recalled(rows)
    states = {mark.stream: mark.state for mark in marks_behind(batches()[:at]) if mark.state}
    second.recall(type(past)(past.sessions, states), docket)
    taken(second, [batches()[at - 1], *batches()[at:]])  # the last batch comes once more
    assert said([*rows, *more]) == said(expected)


def marks_behind(batches: list[list[Record]]) -> list[Any]:
    """What the store would have of open streams."""
    pipeline, _ = judged_pipeline(ALL)
    for batch in batches:
        for record in batch:
            pipeline.take(record, OFFSET)
    return pipeline.marks()[0]


def test_records_that_overtake_one_another_in_a_batch_are_judged_by_their_time() -> None:
    one = Conversation()
    first = begun(one)
    surge, egress = one.exchange("/api/v1/namespaces/default/secrets", secrets(12)), connected(one, ELSEWHERE)
    pipeline, rows = judged_pipeline(EXAMPLE)
    taken(pipeline, [first, [egress, *surge]])
    assert [rule for _, rule, *_ in said(rows)] == ["secret-surge-then-egress"]
    assert again(rows, session_of(rows), ruleset(rules(EXAMPLE))) == said(rows)


class Watcher:
    """A performer that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Judged] = []

    def carries_out(self, action: Action, _stream: str, _moment: Moment) -> bool:
        return action is Action.DENY

    def perform(self, judged: Judged) -> None:
        self.told.append(judged)

    def foresee(self, judged: Judged) -> None:
        raise AssertionError("nothing is held")


def test_performers_are_told_of_every_moment_with_its_place_on_the_stream() -> None:
    one, watcher = Conversation(), Watcher()
    pipeline, rows = judged_pipeline("- {name: a, when: 'call.name == \"web\"', do: deny, enforce: enforce}", [watcher])
    request = one.request("/api/v1/namespaces/default/pods/other")
    second = one.positions[0]
    taken(pipeline, [begun(one), [request, one.answer({}), one.request("/api/v1/namespaces/default/pods/web"), one.answer({})]])
    assert [(judged.event.moment, len(judged.verdicts)) for judged in watcher.told] == [
        *((moment, 0) for moment in (Moment.REQUEST, Moment.RESPONSE, Moment.END)),
        *((Moment.REQUEST, 1), (Moment.RESPONSE, 0), (Moment.END, 0)),
    ]
    denied = watcher.told[3]
    assert (denied.stream, denied.position, denied.at) == (one.stream, second, one.positions[0])
    assert (denied.process["pid"], denied.event.document["name"]) == (4242, "web")
    [verdict] = [row.document for row in rows if row.kind is Kind.VERDICT]
    assert (verdict["effective"], verdict["notCarriedOut"]) == ("enforce", "")


@pytest.mark.parametrize(
    ("mode", "enforce", "why"),
    [("record", "enforce", "the policy only records"), ("enforce", "observe", "the rule says observe"), ("enforce", "enforce", "")],
)
def test_a_deny_that_has_no_effect_says_why(mode: str, enforce: str, why: str) -> None:
    policy = f"{HEAD}mode: {mode}\nrules:\n- {{name: a, when: 'true', do: deny, enforce: {enforce}}}\n"
    one = Conversation()
    pipeline, rows = judged_pipeline(policy, [Watcher()])
    taken(pipeline, [begun(one), [one.request("/api/v1/pods")]])
    [verdict] = [row.document for row in rows if row.kind is Kind.VERDICT]
    assert verdict["notCarriedOut"] == why


def test_new_rules_judge_the_next_batch_and_a_rule_that_stays_goes_on_counting() -> None:
    one = Conversation()
    old = ruleset(rules('- {name: two, when: call.verb == "list", count: 2, within: 1m, do: alert}'))
    new = ruleset([*old, *rules(HEAD.replace("agents", "more") + "rules:\n- {name: any, when: 'call.verb != \"\"', do: alert}\n")])
    pipeline, rows = judged_pipeline(old)
    taken(pipeline, [begun(one), one.exchange("/api/v1/pods", pods())])
    judge: Judge = pipeline._judge
    judge.use(new)
    taken(pipeline, [one.exchange("/api/v1/pods", pods())])
    assert sorted(rule for _, rule, *_ in said(rows)) == ["any", "two"]
    assert {row.document["rules"] for row in rows if row.kind is Kind.JUDGED} == {old.digest, new.digest}


def test_an_event_that_we_fail_on_is_noted_without_its_text_and_the_others_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Conversation()
    pipeline, rows = judged_pipeline("- {name: a, when: 'call.verb != \"\"', do: alert}")

    def fail(self: Rules, event: Any) -> Any:
        if event.document["resource"] == "pods":
            raise KeyError("payload")
        return self.all

    monkeypatch.setattr(Rules, "likely", fail)
    taken(pipeline, [begun(one), [one.request("/api/v1/pods"), one.request("/api/v1/nodes")]])
    assert [about["about"]["resource"] for about in (row.document for row in rows if row.kind is Kind.VERDICT)] == ["nodes"]
    [note] = [row.document for row in rows if row.kind is Kind.NOTE]
    assert "rules could not be asked: KeyError at" in note["text"] and not note["complete"] and "payload" not in str(rows)


def test_the_same_batches_make_the_same_rows_of_judging() -> None:
    def rows() -> list[Row]:
        one = Conversation()
        pipeline, found = judged_pipeline(ALL)
        taken(pipeline, [begun(one), steps(one, random.Random(5).choices(range(30), k=12)), one.ended()])
        return [row for row in found if row.kind in (Kind.VERDICT, Kind.JUDGED)]

    assert rows() == rows() and len(newest(rows())) == len(rows())


class Api:
    """Knows one pod of api:6443."""

    def __init__(self, privileged: bool) -> None:
        self.privileged, self.asked = privileged, 0

    def is_about(self, authority: str) -> bool:
        return authority == "api:6443"

    def of(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        self.asked += 1
        return {("default", "web"): {"spec": {"containers": [{"securityContext": {"privileged": self.privileged}}]}}}


class Foreseer(Watcher):
    """Keeps what is foreseen, too."""

    def foresee(self, judged: Judged) -> None:
        self.told.append(judged)


@pytest.mark.parametrize("privileged", [True, False])
def test_what_is_foreseen_is_looked_up_as_well(privileged: bool) -> None:
    watcher, api = Foreseer(), Api(privileged)
    rows: list[Row] = []
    judge = Judge(ruleset(rules(EXAMPLE)), rows, Masker(b"k" * 32).text, [watcher], api)
    begun_ = CALL | {"resource": "pods", "subresource": "exec", "name": "web", "phase": "request"}
    judge.foresee(Row(Kind.CALL, "5" * 32, CALL["id"], 1, 0, 0, begun_, "a" * 32))
    [judged] = watcher.told
    assert ([verdict.rule for verdict in judged.verdicts], api.asked) == (["no-privileged-exec"] if privileged else [], 1)


def test_a_policy_without_rules_has_its_connections_scanned() -> None:
    policy = policies(HEAD + 'egress: {scan: "on"}\nrules: []\n', "policy.yaml")
    assert Judge(arranged(policy), [], Masker(b"k" * 32).text).scans("any")
    assert not Judge(arranged(policies(HEAD + "rules: []\n", "policy.yaml")), [], Masker(b"k" * 32).text).scans("any")
