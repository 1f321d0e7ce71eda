"""A database of a ClickHouse server, and what collectors that share it are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaperone.collector.store.server import Address, Server


@dataclass(frozen=True, slots=True)
class Shared:
    """`keys`: the directory of the keys."""

    address: Address
    keys: Path

    @property
    def options(self) -> list[str]:
        """Of a collector."""
        login = ["--clickhouse-login", str(self.address.login)] if self.address.login else []
        return ["--clickhouse-url", self.address.url, "--keys", str(self.keys), *login]


@contextmanager
def shared_database(server: Address, name: str, folder: Path) -> Iterator[Shared]:
    """A new one, dropped in the end."""
    keys = folder / "keys"
    keys.mkdir()
    for key in ("fingerprint.key", "spool.key"):
        (keys / key).write_bytes(key.encode().ljust(32, b"."))
    address = Address(f"{server.url}/{name}", server.login)
    yield Shared(address, keys)
    used = Server(address)
    used.run(f"DROP DATABASE {name}")
    used.close()
