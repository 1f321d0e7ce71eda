import asyncio
from pathlib import Path

import pytest

from chaperone.collector.identity.folder import Folder, ShelfError


def test_what_was_written_is_read_and_nobody_else_reads_it(tmp_path: Path) -> None:
    shelf = Folder(tmp_path / "tls")
    assert asyncio.run(shelf.read("agent")) == {}
    asyncio.run(shelf.write("agent", {"tls.key": b"old"}))
    asyncio.run(shelf.write("agent", {"tls.key": b"k", "tls.crt": b"c"}))
    assert asyncio.run(shelf.read("agent")) == {"tls.key": b"k", "tls.crt": b"c"}
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "tls" / "agent", tmp_path / "tls" / "agent" / "tls.key")] == [0o700, 0o600]


def test_what_cannot_be_kept_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for action in (Folder(tmp_path / "file").write("agent", {"tls.key": b"k"}), Folder(tmp_path / "file").read("agent")):
        with pytest.raises(ShelfError, match="file/agent cannot be"):
            asyncio.run(action)
