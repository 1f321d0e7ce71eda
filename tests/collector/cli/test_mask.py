"""`chaperone mask` on real files and stores."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.mask.masking import BUILT_INS
from chaperone.collector.store.directory import hold

RUN = CliRunner().invoke
FILE = "apiVersion: chaperone.dev/v1\nkind: Masking\npatterns:\n- {name: acme, match: 'acme_[a-z]+'}\ndisable: [github]\n"
DEPLOYMENT = "kind: Deployment\nspec:\n  note: acme_blue and ghp_0123456789abcdefghij\n  password: geheim\n"


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    path = tmp_path / "d.yaml"
    path.write_text(DEPLOYMENT)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "m.yaml"
    path.write_text(FILE)
    return path


def test_a_file_is_printed_masked(deployment: Path, mask: Path) -> None:
    printed = RUN(app, ["mask", "test", str(deployment)]).stdout
    assert "acme_blue" in printed and "ghp_" not in printed and "geheim" not in printed
    printed = RUN(app, ["mask", "test", str(deployment), "--mask", str(mask)]).stdout
    assert "acme_blue" not in printed and "ghp_" in printed and "geheim" not in printed


def test_why_prints_places_and_names(deployment: Path, mask: Path) -> None:
    assert RUN(app, ["mask", "test", str(deployment), "--why"]).stdout == "spec.note: github\nspec.password: names\n"
    assert RUN(app, ["mask", "test", str(deployment), "--why", "--mask", str(mask)]).stdout == "spec.note: acme\nspec.password: names\n"
    assert RUN(app, ["mask", "test", str(mask), "--why"]).stdout == "nothing is masked\n"


def test_every_built_in_and_every_own_way_is_listed(mask: Path) -> None:
    lines = RUN(app, ["mask", "list", "--mask", str(mask)]).stdout.splitlines()
    found = {line.split()[0]: line.split()[1:3] for line in lines[1:]}
    assert {*found} == {*BUILT_INS, "acme"}
    assert found["github"] == ["built-in", "off"] and found["jwt"] == ["built-in", "on"] and found["acme"] == ["file", "on"]


@pytest.mark.parametrize("command", [["test", "FILE"], ["list"]])
def test_a_bad_file_is_refused_with_line_and_key(command: list[str], deployment: Path, mask: Path) -> None:
    mask.write_text(FILE.replace("[github]", "[gitlub]"))
    done = RUN(app, ["mask", *(str(deployment) if word == "FILE" else word for word in command), "--mask", str(mask)])
    assert isinstance(done.exception, CommandError)
    assert done.exception.sentence.startswith(f"{mask}:5: disable[0]: expected the name of a built-in")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    done = RUN(app, ["mask", "test", str(tmp_path / "missing")])
    assert isinstance(done.exception, CommandError) and done.exception.sentence.endswith("missing: No such file or directory")


def test_a_stores_key_is_changed_while_nobody_has_it_open(tmp_path: Path) -> None:
    store = tmp_path / "store"
    missing = RUN(app, ["mask", "rotate-key", "--store", str(store)])
    assert isinstance(missing.exception, CommandError) and not store.exists()
    with hold(store) as held:
        (store / "version").write_text("1")
        first = held.key()
        refused = RUN(app, ["mask", "rotate-key", "--store", str(store)])
        assert isinstance(refused.exception, CommandError) and held.key() == first
    assert RUN(app, ["mask", "rotate-key", "--store", str(store)]).stdout == "fingerprints are made with key 2 from now on\n"
    with hold(store) as held:
        assert held.key() != first and held.key_number() == 2 and held.sealing_key() == first


def test_a_decoded_capture_is_masked_by_the_file_too(mask: Path) -> None:
    capture = next((Path(__file__).parents[2] / "captures").glob("kubectl-exec-ws.2.jsonl.gz"))
    mask.write_text(FILE.replace("acme_[a-z]+", "user-agent|kubectl"))
    plain = RUN(app, ["decode", str(capture), "-o", "jsonl"]).stdout
    masked = RUN(app, ["decode", str(capture), "-o", "jsonl", "--mask", str(mask)]).stdout
    assert "kubectl/v1" in plain and "~masked-7-" not in plain
    assert "kubectl/v1" not in masked and "~masked-7-" in masked
