"""tests/captures/go_targets.jsonl holds what Go 1.27's url.ParseRequestURI says of odd targets: uri, path, query values.

A target's bytes are written as Latin-1 there; the readers decode UTF-8.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.kube.url.query import values
from chaperone.collector.kube.url.target import ABSOLUTE, read_target

GO = Path(__file__).parents[3] / "captures/go_targets.jsonl"
HARMLESS = ("%2F in the path splits a segment", ABSOLUTE)


def test_what_go_accepts_is_read_as_go_does_and_what_it_refuses_is_doubted() -> None:
    cases = [json.loads(line) for line in GO.read_text().splitlines()]
    assert len(cases) > 500
    for case in cases:
        target = read_target(case["target"].encode("latin-1").decode("utf-8", "surrogateescape"))
        refused = [doubt for doubt in target.doubts if doubt not in HARMLESS]
        assert bool(refused) == case["error"], case
        if not case["error"]:
            assert (target.uri, target.path) == (case["uri"], case["path"]), case
            assert values(target.query)[0] == (case["query"] or {}), case


@pytest.mark.parametrize("sent", ["/api/v1/namespaces/a%2Fb/pods", "/api/v1/namespaces/a%2fb/pods"])
def test_an_escaped_slash_splits_and_is_said(sent: str) -> None:
    target = read_target(sent)
    assert target.path == "/api/v1/namespaces/a/b/pods"
    assert target.doubts == ("%2F in the path splits a segment",)
    assert target.uri == sent


def test_a_plain_target_has_no_doubts() -> None:
    sent = "/api/v1/namespaces/default/pods/agent/exec?command=echo+out%3B&container=main"
    target = read_target(sent)
    assert (target.uri, target.doubts) == (sent, ())


def test_the_absolute_form_loses_its_origin_and_is_said() -> None:
    target = read_target("https://10.0.0.1:6443/api/v1/pods?limit=1")
    assert (target.uri, target.path, target.doubts) == ("/api/v1/pods?limit=1", "/api/v1/pods", (ABSOLUTE,))


@given(st.text(max_size=40))
def test_any_text_has_a_reading(sent: str) -> None:
    target = read_target(sent)
    target.uri.encode()
    target.path.encode()
    values(target.query)
