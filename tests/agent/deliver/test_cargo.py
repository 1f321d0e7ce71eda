from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.agent.deliver.cargo import load, state
from chaperone.agent.settings import SessionOptions, Settings, Storage
from chaperone.proto.records import NO_SESSION, Note, unpack
from chaperone.proto.sealed import public_of

KEY, OTHER = (public_of(X25519PrivateKey.generate()) for _ in range(2))


def settings(spool: Path, key: bytes = b"") -> Settings:
    return Settings((), (), "", SessionOptions(), storage=Storage(spool, 1 << 20, key))


def sealed(folder: Path) -> bool:
    return b'"sealed_key": ""' not in (folder / "start.json").read_bytes()


def test_a_key_that_was_told_is_the_only_one(tmp_path: Path) -> None:
    cargo, trouble = load(settings(tmp_path, KEY), "a")
    assert (cargo.trusts, trouble, sealed(tmp_path / "a")) == (False, "", True)
    assert not (tmp_path / "collector.key").exists()


def test_without_one_the_last_collectors_is_used_until_another_welcomes_us(tmp_path: Path) -> None:
    first, _ = load(settings(tmp_path), "a")
    assert first.trusts and not (tmp_path / "a" / "start.json").exists()
    first.outbox.remember(KEY)
    second, _ = load(settings(tmp_path), "b")
    assert second.trusts and sealed(tmp_path / "b")


def test_where_nothing_can_be_kept_memory_is_used_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cargo, trouble = load(settings(tmp_path / "file" / "spool"), "a")
    assert cargo.outbox.spool is None and cargo.leftovers is None
    assert trouble == f"{tmp_path}/file/spool can't be used: Not a directory"


def test_what_is_wrong_with_what_was_left_is_logged_and_stored_of_no_session(tmp_path: Path) -> None:
    (tmp_path / "broken/lock").mkdir(parents=True)
    cargo, _ = load(settings(tmp_path), "a")
    log: list[str] = []
    for _ in range(2):
        state(cargo, log.append)
    cargo.outbox.flush()
    batch = cargo.outbox.after(0, 0)
    assert batch is not None
    [note] = unpack(zstandard.ZstdDecompressor().decompress(batch.records))
    assert isinstance(note, Note) and (note.session, note.subject, note.complete) == (NO_SESSION, "spool", False)
    assert log == [note.text] and "broken can't be read" in note.text
