"""Which scanner an answer has."""

import pytest

from chaperone.collector.mask.inline.choice import OTHER, SECRET, TOKEN, fields_of, scanner
from chaperone.collector.mask.inline.json_spans import JsonSpans
from chaperone.collector.mask.inline.whole import WholeSpans


def test_the_resource_says_what_is_secret() -> None:
    assert fields_of("secrets", "") is SECRET
    assert fields_of("configmaps", "") is OTHER
    assert fields_of("serviceaccounts", "token") is TOKEN


@pytest.mark.parametrize("kind", ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;stream=watch"])
def test_json_is_read_as_it_comes(kind: str) -> None:
    assert isinstance(scanner(SECRET, kind), JsonSpans)


def test_of_a_watch_each_event_is_read() -> None:
    found = scanner(SECRET, "application/vnd.kubernetes.protobuf;stream=watch")
    assert isinstance(found, WholeSpans) and found._is_stream
    assert not scanner(SECRET, "application/yaml").problem


@pytest.mark.parametrize("kind", ["application/cbor", "text/plain", ""])
def test_what_cannot_be_told_apart_is_a_problem(kind: str) -> None:
    found = scanner(SECRET, kind)
    found.feed(b"x")
    found.finish()
    assert found.problem
