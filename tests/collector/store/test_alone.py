from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from chaperone.collector.store import alone as module
from chaperone.collector.store.alone import LOCK, alone
from chaperone.collector.store.engine import Parameter, StoreError
from chaperone.collector.store.server import Address, Server

LOCKS = "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {lock:String})"


def test_one_at_a_time_is_in(address: Address) -> None:
    inside, most = list[int](), list[int]()

    def enter(number: int) -> None:
        server = Server(address)
        with alone(server):
            inside.append(number)
            most.append(len(inside))
            server.rows("SELECT sleep(0.05)")
            inside.remove(number)
        server.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(enter, range(4)))
    assert most == [1, 1, 1, 1]


class Outrun(Server):
    """Somebody else is faster, and done before it is seen who that was."""

    times = 0

    def run(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        if not statement.startswith("CREATE TABLE") or self.times:
            super().run(statement, parameters)
            return
        self.times += 1
        super().run(statement, parameters)
        try:
            super().run(statement, parameters)
        finally:
            super().run(statement.replace("CREATE", "DROP").partition(" (")[0])


def test_a_lock_that_is_gone_again_once_it_was_met_is_tried_again(address: Address) -> None:
    server = Outrun(address)
    with alone(server):
        assert [row["name"] for row in server.rows(LOCKS, {"lock": LOCK})] == [f"{LOCK}1"]
    server.close()


def test_a_lock_that_somebody_died_with_counts_for_a_while_only(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(address)
    server.run(f"CREATE TABLE {LOCK}1 (number UInt8) ENGINE = Memory")
    monkeypatch.setattr(module, "STALE_S", 0)
    with alone(server):
        assert {row["name"] for row in server.rows(LOCKS, {"lock": LOCK})} == {f"{LOCK}1", f"{LOCK}2"}
    assert server.rows(LOCKS, {"lock": LOCK}) == []
    server.close()


def test_where_no_table_can_be_made_that_is_said(address: Address) -> None:
    server = Server(address)
    server.run(f"DROP DATABASE {address.database}")
    with pytest.raises(StoreError, match="UNKNOWN_DATABASE"), alone(server):
        raise AssertionError
    server.close()
