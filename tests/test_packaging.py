"""An unlisted package works when editable and is missing from the wheel, so the list is compared with the disk."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_on_disk_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    tops = ("agent", "bpf", "collector", "proto")
    found = sorted(
        "chaperone." + ".".join(path.parent.relative_to(ROOT).parts) for top in tops for path in (ROOT / top).rglob("__init__.py")
    )
    assert sorted(listed) == found


def test_the_data_patterns_match_the_files_they_are_for() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folders = {
        "chaperone.bpf": "bpf",
        "chaperone.collector.enforce": "collector/enforce",
        "chaperone.collector.rules": "collector/rules",
        "chaperone.collector.store": "collector/store",
        "chaperone.proto": "proto",
    }
    for package, patterns in data.items():
        for pattern in patterns:
            assert list((ROOT / folders[package]).glob(pattern)), f"{package}: {pattern}"
