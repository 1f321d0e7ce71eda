from pathlib import Path

import pytest

from chaperone.collector.ingest.masking_file import NONE, read_masking, remembered, settled_text
from chaperone.collector.mask.masking import BUILT_IN
from chaperone.collector.nodes import PolicyError

HEAD = "apiVersion: chaperone.dev/v1\nkind: Masking\n"


def test_files_are_joined(tmp_path: Path) -> None:
    for name in ("jwt", "known"):
        (tmp_path / name).write_text(f"{HEAD}disable: [{name}]\n")
    assert read_masking([tmp_path / "jwt", tmp_path / "known"]).off == {"jwt", "known"}
    assert read_masking([]) == BUILT_IN


def test_a_file_is_checked_before_it_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(f"{HEAD}disable: [jwt]\n")
    assert remembered(settled_text(file), "kept").off == {"jwt"}
    file.write_text(f"{HEAD}disable: [nothing]\n")
    with pytest.raises(PolicyError):
        settled_text(file)
    with pytest.raises(PolicyError, match="expected a file that can be read"):
        settled_text(tmp_path / "missing")


def test_none_is_the_built_in_masking() -> None:
    assert remembered(settled_text(Path(NONE)), "kept") == BUILT_IN
