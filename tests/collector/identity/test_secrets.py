"""Secrets of a cluster, through the real client over real TLS."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from support.api_double import ApiDouble
from support.keeping_secrets import keeping_secrets

from chaperone.collector.identity.cluster import Cluster
from chaperone.collector.identity.folder import ShelfError
from chaperone.collector.identity.secrets import Secrets

T = TypeVar("T")


def with_shelf(server: ApiDouble, folder: Path, work: Callable[[Secrets], Awaitable[T]]) -> T:
    async def run() -> T:
        cluster = Cluster(server.kubeconfig(folder))
        try:
            return await work(Secrets(cluster, "chaperone", "tls-"))
        finally:
            await cluster.close()

    return asyncio.run(run())


def test_a_secret_is_created_then_replaced_whole(tmp_path: Path) -> None:
    with keeping_secrets(tmp_path) as (state, server):
        assert with_shelf(server, tmp_path, lambda shelf: shelf.read("agent")) == {}
        with_shelf(server, tmp_path, lambda shelf: shelf.write("agent", {"tls.crt": b"c", "next.crt": b"n"}))
        with_shelf(server, tmp_path, lambda shelf: shelf.write("agent", {"tls.crt": b"\x00c2"}))
        assert with_shelf(server, tmp_path, lambda shelf: shelf.read("agent")) == {"tls.crt": b"\x00c2"}
        assert list(state.secrets) == ["/api/v1/namespaces/chaperone/secrets/tls-agent"]


def test_who_may_not_is_told_so(tmp_path: Path) -> None:
    with keeping_secrets(tmp_path) as (state, server):
        state.refuses = 403
        for work in (lambda shelf: shelf.read("agent"), lambda shelf: shelf.write("agent", {})):
            with pytest.raises(ShelfError, match=r"secret tls-agent cannot be .*: the API server refuses: 403"):
                with_shelf(server, tmp_path, work)
