"""Live: what was compiled is kept, and nothing else is taken for it."""

import logging
from pathlib import Path

import pytest
from support.small_disk import small_disk

from chaperone.agent.trace import compiled as module
from chaperone.agent.trace.bytecode import Bytecode
from chaperone.agent.trace.compiled import compiled

pytestmark = pytest.mark.kernel
TEXT = (
    "BPF_ARRAY(counted, u64, 3);\nint count(void *ctx) { int zero = 0; u64 *at = counted.lookup(&zero); if (at) *at += STEP; return 0; }\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was really compiled."""
    asked, compile_ = list[bytes](), module._compile

    def counted(text: bytes) -> bytes:
        asked.append(text)
        return compile_(text)

    monkeypatch.setattr(module, "_compile", counted)
    return asked


def made(folder: Path, step: int = 1) -> Bytecode:
    return compiled(TEXT, {"STEP": step}, folder)


def test_the_same_is_compiled_once_and_what_differs_anew(folder: Path, runs: list[bytes]) -> None:
    first = made(folder)
    assert [(shape.name, shape.value_size, shape.entries) for shape in first.maps] == [("counted", 8, 3)]
    assert list(first.programs) == ["count"]
    assert made(folder) == first
    assert len(runs) == 1
    assert made(folder, step=2).programs != first.programs
    assert len(runs) == 2


def test_what_is_not_as_it_was_written_or_not_ours_is_compiled_anew(folder: Path, runs: list[bytes]) -> None:
    first = made(folder)
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    for broken in (whole[:-1], whole[:40], b"", whole[:50] + b"!" + whole[51:]):
        kept.write_bytes(broken)
        assert made(folder) == first
    assert len(runs) == 5
    for path in (kept, folder):
        path.chmod(0o777)
        assert made(folder) == first
        path.chmod(0o700)
    assert len(runs) == 7
    kept.rename(folder / "elsewhere")
    kept.symlink_to(folder / "elsewhere")
    assert made(folder) == first
    assert len(runs) == 8


def test_few_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    for step in range(4):
        made(folder, step)
    assert len(list(folder.iterdir())) == 2


def test_where_nothing_can_be_kept_it_is_compiled_each_time_and_said(
    tmp_path: Path, runs: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, module.LOG.name)
    with small_disk(tmp_path / "small", "4k") as folder:
        folder.chmod(0o700)
        (folder / "filler").write_bytes(bytes(4096))
        assert made(folder) == made(folder)
        assert [path.name for path in folder.iterdir()] == ["filler"]
    assert len(runs) == 2
    assert "not kept" in caplog.text
    assert "No space left" in caplog.text
