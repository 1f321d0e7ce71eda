"""Other collectors, asked over real mutual TLS; one is of an earlier version, one is not there."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.receivers import free_port
from support.tls_directories import SERVER, authority, tls_directory

from chaperone.collector.identity.caller import COLLECTORS
from chaperone.collector.identity.certificates import Subject
from chaperone.collector.serve.doors import open_doors
from chaperone.collector.serve.peers import Heard, Peers, SilentError
from chaperone.collector.serve.query import QueryService
from chaperone.collector.settings import Listening
from chaperone.proto import query_pb2_grpc


async def answer(name: str, parameters: str) -> list[dict[str, Any]]:
    if name == "slow":
        await asyncio.sleep(30)
    if name != "live":
        raise ValueError(f"nothing is called {name!r}")
    return [{"asked": parameters}] * 300


def run(folder: Path, then: Callable[[Peers], Awaitable[Any]]) -> Any:
    """With three others: one answers, one knows no Peers, one is not there."""
    tls = tls_directory(folder / "tls", authority(), Subject("collector", (COLLECTORS,), SERVER.hosts))

    async def on() -> Any:
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(4)]
        servers = [grpc.aio.server() for _ in range(2)]
        query_pb2_grpc.add_PeersServicer_to_server(QueryService(answer, nullcontext()), servers[0])
        for server, address in zip(servers, addresses, strict=False):
            open_doors(server, Listening(tls, certified=address))
            await server.start()
        try:
            return await then(Peers(tuple(addresses), addresses[3], tls))
        finally:
            for server in servers:
                await server.stop(0)

    return asyncio.run(on())


def test_those_that_do_not_answer_are_named_with_why(tmp_path: Path) -> None:
    async def asked(peers: Peers) -> tuple[Peers, Heard]:
        return peers, await peers.ask("live", {"a": 1})

    peers, heard = run(tmp_path, asked)
    assert heard.rows == {peers.all[0]: [{"asked": '{"a": 1}'}] * 300}
    assert heard.missing == (
        f"collector {peers.all[1]} did not answer (unimplemented): its nodes are missing",
        f"collector {peers.all[2]} did not answer (unavailable): its nodes are missing",
    )
    assert not peers.is_first(heard) and peers.is_first(Heard()) and Peers().is_first(Heard())


def test_one_that_does_not_know_the_question_is_named_and_each_may_be_asked_something_else(tmp_path: Path) -> None:
    async def asked(peers: Peers) -> tuple[str, Heard, Heard]:
        first = peers.all[0]
        return first, await peers.ask_each("alerts.list", {first: {}}), await peers.ask_each("live", {first: {"n": 1}})

    address, unknown, known = run(tmp_path, asked)
    assert unknown == Heard({}, (f"collector {address} did not answer (nothing is called 'alerts.list'): its alerts are missing",))
    assert known.rows[address][0] == {"asked": '{"n": 1}'} and not known.missing


def test_what_one_refuses_is_said_in_its_words_and_one_that_is_slow_is_not_waited_for(tmp_path: Path) -> None:
    async def refused(peers: Peers) -> None:
        with pytest.raises(ValueError, match="nothing is called 'odd'"):
            await peers.tell(peers.all[0], "odd", {})
        with pytest.raises(SilentError, match="deadline exceeded"):
            await peers.tell(peers.all[0], "slow", {}, 0.5)

    run(tmp_path, refused)


def test_without_a_certificate_of_ours_nobody_is_asked(tmp_path: Path) -> None:
    heard = asyncio.run(Peers(("a:1", "b:1"), "a:1", tmp_path).ask("live", {}))
    assert heard == Heard({}, ("collector b:1 was not asked (No such file or directory): its nodes are missing",))


def test_one_collector_asks_nobody() -> None:
    assert asyncio.run(Peers().ask("live", {})) == Heard()
