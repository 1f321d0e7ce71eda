import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from chaperone.proto.glass import LONGEST_S, SECOND, Glass, GlassError, parsed, place, read, reason, remove, seconds, write

BROKEN = Glass("g1", "boot", 5, 5 + 900 * SECOND, "unix:root at n1", "deploys hang")


def test_what_is_written_is_read_by_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "run" / "break-glass"
    write(file, BROKEN)
    assert read(file) == BROKEN
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [one.name for one in file.parent.iterdir()] == ["break-glass"]
    remove(file)
    remove(file)
    assert read(file) is None


def test_what_others_could_have_written_counts_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "break-glass"
    write(file, BROKEN)
    file.chmod(0o620)
    with pytest.raises(GlassError, match="others than root could have written it"):
        read(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_another_user_owns_counts_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "break-glass"
    write(file, BROKEN)
    os.chown(file, 65534, 65534)
    with pytest.raises(GlassError, match="others than root"):
        read(file)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "there", BROKEN)
    (tmp_path / "break-glass").symlink_to(tmp_path / "there")
    with pytest.raises(GlassError, match="can't be read"):
        read(tmp_path / "break-glass")


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "break-glass", 0o600)
    with pytest.raises(GlassError):
        read(tmp_path / "break-glass")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"id": "g1"}',
        json.dumps(asdict(BROKEN) | {"more": 1}).encode(),
        json.dumps(asdict(BROKEN) | {"until": "soon"}).encode(),
        json.dumps(asdict(BROKEN) | {"why": "x" * 1001}).encode(),
        json.dumps(asdict(replace(BROKEN, until=BROKEN.begun))).encode(),
        json.dumps(asdict(replace(BROKEN, until=BROKEN.begun + (LONGEST_S + 1) * SECOND))).encode(),
        b"[" * 10_000,
    ],
)
def test_what_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(GlassError, match="none of ours"):
        parsed(text)


def test_times_and_reasons() -> None:
    assert [seconds(text) for text in ("90s", "15m", "24h")] == [90, 900, 86400]
    for text in ("", "15", "0m", "25h", "-1m", "1d"):
        with pytest.raises(GlassError):
            seconds(text)
    assert reason("because") == "because"
    for text in ("", "  ", "x" * 1001):
        with pytest.raises(GlassError):
            reason(text)


def test_the_environment_names_another_place() -> None:
    assert place({}) == Path("/run/chaperone/break-glass")
    assert place({"CHAPERONE_BREAK_GLASS": "/elsewhere"}) == Path("/elsewhere")
