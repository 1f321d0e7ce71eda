"""Facts of pods through a real collector with `--lookup`: what a rule knows of a pod that the session never read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.collectors import ask, batch, collector, hello, send
from support.conversations import Conversation
from support.leaks import leaks_in_store
from support.lookup_api import TOKEN, LookupApi, lookup_api, pod
from support.policies import EXAMPLE

from chaperone.collector.cli.past import recorded
from chaperone.collector.cli.rules import judged
from chaperone.collector.rules.document import policies
from chaperone.collector.rules.ruleset import arranged
from chaperone.proto.records import Chunk, Record, SessionStarted

EXEC = "/api/v1/namespaces/default/pods/web/exec?command=sh"


def begun(one: Conversation) -> list[Record]:
    first, *rest = one.begun()
    assert isinstance(first, SessionStarted)
    return [SessionStarted(first.session, first.workload, first.time, policies=(EXAMPLE,)), *rest]


def asked(one: Conversation, api: LookupApi) -> Record:
    """An exec of this server's API."""
    sent = one.request(EXEC, "POST")
    assert isinstance(sent, Chunk)
    data = sent.data.replace(b"api.test:6443", b"127.0.0.1:%d" % api.port)
    one.positions[0] += len(data) - len(sent.data)
    return Chunk(sent.stream, sent.direction, sent.position, data, sent.time)


def verdicts(store: Path) -> list[tuple[str, list[str]]]:
    return [(verdict["rule"], verdict["unknown"]) for verdict in ask(store, "verdicts.list", rule="no-privileged-exec")]


@pytest.mark.parametrize(
    ("is_privileged", "status", "expected"),
    [
        (True, 0, [("no-privileged-exec", [])]),
        (False, 0, []),
        (False, 500, [("no-privileged-exec", ["target.privileged"])]),
    ],
    ids=["privileged", "harmless", "the API is down"],
)
def test_a_deny_knows_a_pod_that_was_never_read(
    is_privileged: bool, status: int, expected: list[tuple[str, list[str]]], tmp_path: Path
) -> None:
    one, store = Conversation(), tmp_path / "store"
    with lookup_api(tmp_path / "api", pod("web", is_privileged)) as api:
        api.status = status
        with collector(store, "--lookup", str(api.kubeconfig())):
            send(store, [hello(), batch(1, [*begun(one), asked(one, api)])])
            assert verdicts(store) == expected
            [told] = ask(store, "rules.status")
            assert told["look-ups"].startswith(f"https://127.0.0.1:{api.port}: {'0 answered, 1 not' if status else '1 answered, 0 not'}")
            past = recorded(store, one.session)
            rules = arranged(policies(EXAMPLE, "policy"))
            assert [verdict.rule for verdict in judged(rules, past.events())] == [rule for rule, _ in expected], "the past is judged alike"
            assert [call["subresource"] for call in ask(store, "calls.list")] == ["exec"], "look-ups are nobody's calls"
        single = {(method, path) for method, path, *_ in api.asked if "?limit=" not in path}  # the survey for `coverage` lists
        assert single == {("GET", "/api/v1/namespaces/default/pods/web")}
    assert leaks_in_store(store, TOKEN.encode()) == []


def test_access_that_cannot_be_used_is_said_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(json.dumps({"current-context": "x"}))
    command = [sys.executable, "-m", "chaperone.collector", "--store", str(tmp_path / "s"), "--lookup", str(tmp_path / "kubeconfig")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"chaperone collector: {tmp_path}/kubeconfig: expected a context called 'x' among contexts\n",
    )
