"""Denied is never handled, allowed arrives byte for byte: in every shape, at Go's net/http and at node's nghttp2.

A slice of `make soak`: here held by an agent without a kernel, there by the real one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.collectors import collector
from support.counting import NODE, POLICY, handled, serving
from support.denials import talk
from support.go_peer import STRIPPED, built
from support.scripted_agent import ScriptedAgent, proxied

COUNT, THREADS = 60, 3


@pytest.fixture(scope="module")
def go_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("counting_server", tmp_path_factory.mktemp("go"), STRIPPED)


@pytest.fixture(params=["go", "node"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, int], Path]]:
    command: dict[str, Callable[[], list[str | Path]]] = {
        "go": lambda: [request.getfixturevalue("go_server")],
        "node": lambda: NODE,
    }
    with serving(command[request.param](), tmp_path / "server") as ports:
        yield ports, tmp_path / "server"


def held(tmp_path: Path, server: tuple[dict[str, int], Path], enforce: str) -> dict[str, Any]:
    """What a program said that was held, and what came of it."""
    ports, place = server
    with collector(tmp_path / "store"):
        agent = ScriptedAgent(tmp_path / "store", (POLICY.format(enforce=enforce),))
        with proxied(agent, place, ports["port"]) as proxy:
            found = talk(("127.0.0.1", proxy.port), str(place / "ca.crt"), COUNT, 7, THREADS, enforce == "enforce")
        agent.finish()
    return found


def test_denied_is_never_handled_and_allowed_arrives_equal(tmp_path: Path, server: tuple[dict[str, int], Path]) -> None:
    found = held(tmp_path, server, "enforce")
    assert found["wrong"] == []
    seen = [one for one in handled(server[0]) if one[1] != "/healthz"]
    assert sorted(seen) == sorted(found["sent"])
    assert found["denied"] > COUNT // 4 and len(found["sent"]) > COUNT // 4


def test_the_same_reaches_the_server_where_rules_only_observe(tmp_path: Path, server: tuple[dict[str, int], Path]) -> None:
    found = held(tmp_path, server, "observe")
    assert found["wrong"] == [] and found["denied"] == 0 and len(found["sent"]) == COUNT
    assert sorted(handled(server[0])) == sorted(found["sent"])
