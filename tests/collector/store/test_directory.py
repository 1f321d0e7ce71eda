import asyncio
import base64
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chaperone.collector.enforce.alerter import alerting_on
from chaperone.collector.store.directory import SOCKET, DirectoryError, LockedError, hold, holder, socket_target
from chaperone.proto.sealed import public_of

IMPORTS = "import os, sys; from pathlib import Path; from chaperone.collector.store.directory import hold, holder"


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    with hold(tmp_path / "a" / "store") as store:
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((store.path / "lock").stat().st_mode) == 0o600
        assert len(store.key()) == 32
        assert stat.S_IMODE((store.path / "fingerprint.key").stat().st_mode) == 0o600


def test_the_key_is_made_once(tmp_path: Path) -> None:
    with hold(tmp_path) as store:
        first = store.key()
    with hold(tmp_path) as store:
        assert store.key() == first


def test_a_changed_key_has_a_number_and_what_is_sealed_stays_readable(tmp_path: Path) -> None:
    with hold(tmp_path) as store:
        first = store.key()
        assert (store.key_number(), store.sealing_key()) == (1, first)
        assert [store.rotate_key(), store.rotate_key()] == [2, 3]
    with hold(tmp_path) as store:
        assert store.key_number() == 3 and store.key() != first and len(store.key()) == 32 and store.sealing_key() == first
        assert stat.S_IMODE((store.path / "marks.key").stat().st_mode) == 0o600


def test_a_masking_is_remembered(tmp_path: Path) -> None:
    with hold(tmp_path) as store:
        assert store.masking() == ""
        store.remember_masking("kind: Masking\n")
    with hold(tmp_path) as store:
        assert store.masking() == "kind: Masking\n"


def test_a_second_holder_is_told_who_is_first(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(LockedError, match=f"locked by process {os.getpid()}"):
        hold(tmp_path)
    hold(tmp_path).close()


def test_the_holder_is_known_from_outside(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    with hold(tmp_path):
        code = f"{IMPORTS}; print(holder(Path(sys.argv[1])))"
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert int(done.stdout) == os.getpid()
    assert holder(tmp_path) is None


def test_the_lock_of_a_dead_holder_is_free(tmp_path: Path) -> None:
    code = f"{IMPORTS}; hold(Path(sys.argv[1])); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    hold(tmp_path).close()


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DirectoryError, match=r"not a Chaperone store \(it holds 'photos'\): .*--store"):
        hold(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["photos"]


def test_a_collector_whose_records_are_elsewhere_knows_its_directory_by_its_outbox(tmp_path: Path) -> None:
    """Of several, none has a version of its own: that of the records is with them."""

    async def alerted() -> None:
        async with alerting_on(tmp_path, None):
            assert (tmp_path / "alerts.sqlite-wal").exists()

    with hold(tmp_path):
        asyncio.run(alerted())
    (tmp_path / "alerts.sqlite").write_bytes(b"no database" * 1000)
    with hold(tmp_path):
        asyncio.run(alerted())
    assert (tmp_path / "alerts.sqlite.broken").exists()
    hold(tmp_path).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory to somebody else needs root")
def test_somebody_elses_directory_is_refused_and_nothing_of_theirs_is_followed(tmp_path: Path) -> None:
    store, victim = tmp_path / "store", tmp_path / "victim"
    store.mkdir()
    victim.write_text("precious")
    (store / "fingerprint.new").symlink_to(victim)
    os.chown(store, 65534, 65534)
    with pytest.raises(DirectoryError, match=r"belongs to another user.*--store"):
        hold(store)
    assert [entry.name for entry in store.iterdir()] == ["fingerprint.new"]


def test_a_link_in_the_place_of_a_draft_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "store").mkdir()
    (tmp_path / "store/fingerprint.new").symlink_to(tmp_path / "victim")
    with hold(tmp_path / "store") as store:
        assert len(store.key()) == 32
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryError, match="--store"):
        hold(tmp_path / "file")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "lock").symlink_to(target)
    with pytest.raises(DirectoryError):
        hold(tmp_path / "store")
    assert target.read_text() == "precious"


def test_a_socket_in_a_deep_directory_can_be_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    target = socket_target(deep)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(target.removeprefix("unix:"))
    assert (deep / SOCKET).is_socket()
    assert socket_target(Path("/short")) == f"unix:/short/{SOCKET}"


def test_the_key_of_spools_is_made_once_and_its_public_half_lies_beside_it(tmp_path: Path) -> None:
    with hold(tmp_path / "store") as store:
        public = public_of(store.spool_key())
        assert public_of(store.spool_key()) == public
        assert base64.b64decode((store.path / "spool.pub").read_bytes()) == public
        assert stat.S_IMODE((store.path / "spool.key").stat().st_mode) == 0o600
