"""Our reading of request targets against Go's net/url, on generated ones; what Go refuses, we doubt."""

import base64
import json
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.go_peer import built

from chaperone.collector.kube.url.query import values
from chaperone.collector.kube.url.target import ABSOLUTE, read_target, text_of

GoRead = Callable[[bytes], dict[str, Any]]
HARMLESS = ("%2F in the path splits a segment", ABSOLUTE)
BEGINNINGS = st.sampled_from([b"/", b"/", b"/", b"//", b"", b"*", b"https://a:6443", b"http:/", b"a:", b"/api/v1/", b"/apis/apps/v1/"])
WORDS = st.sampled_from([b"namespaces", b"pods", b"a", b"watch", b"proxy", b"=", b"true", b"metadata.name", b"%2F", b"%2f", b"%zz", b"%"])
MARKS = st.sampled_from([bytes((byte,)) for byte in b"/?&=;#:@+,!~'()*[]{}|\\^`\"<>$ .-_%\x00\x7f\x80\xe2\x82\xac"])
TARGETS = st.tuples(BEGINNINGS, st.lists(WORDS | MARKS | st.binary(max_size=2), max_size=12)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)


@pytest.fixture(scope="session")
def go_read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoRead]:
    binary: Path = built("read_targets", tmp_path_factory.mktemp("peer"))
    with subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to_go, from_go = process.stdin, process.stdout

        def read(target: bytes) -> dict[str, Any]:
            to_go.write(struct.pack(">I", len(target)) + target)
            to_go.flush()
            return json.loads(from_go.readline())

        yield read
        to_go.close()


def text(encoded: str | None) -> str:
    return text_of(base64.b64decode(encoded or ""))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(target=TARGETS)
def test_a_target_is_read_as_go_reads_it_or_doubted(go_read: GoRead, target: bytes) -> None:
    theirs, ours = go_read(target), read_target(target.decode("utf-8", "surrogateescape"))
    if theirs["error"]:
        assert ours.doubts, target
    else:
        assert [doubt for doubt in ours.doubts if doubt not in HARMLESS] == [], target
        assert (ours.uri, ours.path) == (text(theirs["uri"]), text(theirs["path"])), target
        pairs = {text(pair["key"]): [text(value) for value in pair["values"]] for pair in theirs["query"]}
        assert len(pairs) < len(theirs["query"]) or values(ours.query)[0] == pairs, target
