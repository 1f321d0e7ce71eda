from pathlib import Path

import pytest
from support.receivers import free_port

from chaperone.collector.store.engine import StoreError
from chaperone.collector.store.server import Address, Server


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("clickhouse:8443", "no https://"),
        ("ftp://clickhouse/chaperone", "no https://"),
        ("https://recorder:canary@clickhouse/chaperone", "holds credentials"),
        ("http://clickhouse/chaperone", "would show recordings"),
        ("https://clickhouse/chap;erone", "no name of a database"),
        ("https://clickhouse/a/b", "no name of a database"),
    ],
)
def test_a_url_that_will_not_do_is_refused_without_being_quoted(url: str, why: str) -> None:
    with pytest.raises(StoreError, match=why) as caught:
        _ = Address(url).parts(), Address(url).database
    assert "canary" not in str(caught.value)


def test_credentials_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("recorder\n")
    with pytest.raises(StoreError, match=r"can't be read: .*password: No such file"):
        Address("https://clickhouse", tmp_path).credentials()
    (tmp_path / "password").write_text("secret\n")
    address = Address("https://clickhouse", tmp_path)
    assert address.credentials() == {"username": "recorder", "password": "secret"}
    (tmp_path / "ca.crt").write_text("")
    assert address.credentials()["ca_cert"] == str(tmp_path / "ca.crt")
    assert Address("https://clickhouse").database == "chaperone"


def test_a_wrong_password_is_told_as_that(server: Address, tmp_path: Path) -> None:
    (tmp_path / "username").write_text("recorder")
    (tmp_path / "password").write_text("canary")
    with pytest.raises(StoreError, match="AUTHENTICATION_FAILED") as caught:
        Server(Address(server.url, tmp_path))
    assert "canary" not in str(caught.value)


def test_a_server_that_is_not_there_is_told(server: Address) -> None:
    with pytest.raises(StoreError, match="can't be reached"):
        Server(Address(f"http://127.0.0.1:{free_port()}", server.login))


def test_a_list_longer_than_a_url_arrives(server: Address, address: Address) -> None:
    opened = Server(address)
    assert opened.rows("SELECT length({ids:Array(String)}) AS size", {"ids": [f"{n:032x}" for n in range(10_000)]}) == [{"size": 10_000}]
    opened.close()
