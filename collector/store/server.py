"""A ClickHouse server by URL, which several collectors may share. The only importer of clickhouse_connect.

Over TLS, except to this machine itself. Credentials come from files: a directory with `username` and `password`, as a Secret is mounted,
and where there is need `ca.crt` (the authority of the server's certificate) and `tls.crt` with `tls.key` (to show to it).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from chaperone.collector.store.engine import Parameter, StoreError, insertion, parsed, store_error

DATABASE = "chaperone"
PORTS = {"https": 8443, "http": 8123}
HERE = ("localhost", "127.0.0.1", "::1")
CONNECT_S, ANSWER_S = 5, 120
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SETTINGS = {"output_format_json_quote_64bit_integers": 0, "async_insert": 0}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. `login`: the directory of credentials; None: user "default" without a password."""

    url: str
    login: Path | None = None

    def parts(self) -> SplitResult:
        """The URL's. StoreError when it is none of ours."""
        parts = urlsplit(self.url)
        if parts.scheme not in PORTS or not parts.hostname or parts.query or parts.fragment:
            raise StoreError("the ClickHouse URL is no https://HOST:PORT/DATABASE")
        if "@" in parts.netloc:
            raise StoreError("the ClickHouse URL holds credentials: put them into files, and name their directory with --clickhouse-login")
        if parts.scheme == "http" and parts.hostname not in HERE:
            raise StoreError("http to another machine would show recordings to the network: use an https URL for ClickHouse")
        return parts

    @property
    def database(self) -> str:
        """Its name. StoreError when that can't be one."""
        name = self.parts().path.strip("/") or DATABASE
        if not _NAME.fullmatch(name):
            raise StoreError("the ClickHouse URL's path is no name of a database")
        return name

    def credentials(self) -> dict[str, Any]:
        """What the client is given to show. StoreError when it can't be read."""
        if self.login is None:
            return {"username": "default", "password": ""}
        said = {name: self._said(self.login / name) for name in ("username", "password")}
        files = {"ca_cert": "ca.crt", "client_cert": "tls.crt", "client_cert_key": "tls.key"}
        return said | {option: str(self.login / name) for option, name in files.items() if (self.login / name).exists()}

    def _said(self, path: Path) -> str:
        try:
            return path.read_text().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"the ClickHouse credentials can't be read: {path}: {getattr(error, 'strerror', 'no text')}") from None


class Server:
    """A database of a server: an Engine."""

    is_shared = True

    def __init__(self, address: Address) -> None:
        self._client = _connected(address, None)
        if not self.rows("SELECT name FROM system.databases WHERE name = {name:String}", {"name": address.database}):
            self.run(f"CREATE DATABASE IF NOT EXISTS {address.database}")
        self._client.close()
        self._client = _connected(address, address.database)

    def run(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        """A statement without an answer."""
        self._query(statement, parameters or {})

    def rows(self, statement: str, parameters: Mapping[str, Parameter] | None = None) -> list[dict[str, Any]]:
        """A statement's rows."""
        return parsed(self._query(f"{statement} FORMAT JSONEachRow", parameters or {}))

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Durable when this returns, as far as the server's disk is."""
        if text := insertion(table, rows):
            with _said():
                self._client.command("", data=text)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _query(self, statement: str, parameters: Mapping[str, Parameter]) -> bytes:
        bound = {name: _encodable(value) for name, value in parameters.items()}
        with _said():
            answer: bytes = self._client.raw_query(statement, parameters=bound)
            return answer


@contextmanager
def _said() -> Iterator[None]:
    """What goes wrong inside is a StoreError, without what the client says: that quotes data."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415 - as below

    try:
        yield
    except ClickHouseError as error:
        raise (store_error(str(error)) if "Code: " in str(error) else StoreError("the ClickHouse server can't be reached")) from None


def _connected(address: Address, database: str | None) -> Any:
    from clickhouse_connect import common, get_client  # noqa: PLC0415 - a quarter of a second that an embedded store need not wait

    common.set_setting("autogenerate_session_id", False)  # a session takes one question at a time, and would have to end
    parts = address.parts()
    with _said():
        return get_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or PORTS[parts.scheme],
            database=database or "__default__",
            settings=_SETTINGS,
            connect_timeout=CONNECT_S,
            send_receive_timeout=ANSWER_S,
            form_encode_query_params=True,  # a URL has no room for long lists
            client_name="chaperone",
            tz_source="server",
            **address.credentials(),
        )


def _encodable(value: Parameter) -> Parameter:
    """Without lone surrogates, which no server takes."""
    if isinstance(value, list):
        return [item.encode(errors="replace").decode() if isinstance(item, str) else item for item in value]  # type: ignore[return-value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
