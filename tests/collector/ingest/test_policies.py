"""Policy files and directories, all or nothing."""

from pathlib import Path

import pytest
from support.policies import EXAMPLE

from chaperone.collector.ingest.policies import MOUNTED, files_of, read_policies, sources_of
from chaperone.collector.nodes import PolicyError


def test_a_directory_is_all_its_policy_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(EXAMPLE)
    (tmp_path / "b.yml").write_text(EXAMPLE.replace("name: agents", "name: others"))
    (tmp_path / "c.txt").write_text("nothing of ours")
    assert [file.name for file in files_of(tmp_path)] == ["a.yaml", "b.yml"]
    assert [len(policy.rules) for policy in read_policies([tmp_path])] == [2, 2]


def test_one_bad_file_refuses_all(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(EXAMPLE)
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    with pytest.raises(PolicyError, match=r"b.yaml:1: expected UTF-8"):
        read_policies([tmp_path])


def test_no_file_is_said_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nothing\.yaml:1: expected a file that can be read"):
        read_policies([tmp_path / "nothing.yaml"])


def test_who_names_a_directory_without_any_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"1: expected \*\.yaml files in this directory, found none"):
        read_policies([tmp_path])


def test_the_author_is_the_files_owner_but_not_of_what_a_kubelet_wrote(tmp_path: Path) -> None:
    mounted, plain = tmp_path / "mounted", tmp_path / "plain"
    written = mounted / "..2026_01_02_03_04_05.1"
    written.mkdir(parents=True)
    plain.mkdir()
    (written / "a.yaml").write_text(EXAMPLE)
    (mounted / "..data").symlink_to(written.name)
    (mounted / "a.yaml").symlink_to("..data/a.yaml")
    (plain / "b.yaml").write_text(EXAMPLE.replace("name: agents", "name: others"))
    (plain / "c.yaml").symlink_to("d")
    (plain / "d").write_text(EXAMPLE.replace("name: agents", "name: more"))
    read = read_policies([mounted, plain])
    authors = {Path(name).name: source.author for name, source in sources_of([mounted, plain], read).items()}
    assert authors.pop("a.yaml") == MOUNTED
    assert len(authors) == 2 and all(author.endswith("(owner of the file)") for author in authors.values())
