"""`make demo`'s script, whole: real clients recorded, listed, shown and replayed, within a minute."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel

ROOT = Path(__file__).parents[2]


@pytest.mark.kernel
def test_the_demo_shows_masked_calls_of_every_client(tmp_path: Path) -> None:
    skip_without_kernel()
    command = [ROOT / "deploy/demo.sh", Path(sys.executable).parent, tmp_path / "store"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = done.stdout.partition("$ chaperone calls list")[2].partition("\n\n")[0]
    for program, verb, subject, code in [
        ("kubectl", "list", "pods", "200"),
        ("kubectl", "get", "secrets/db-cred", "200"),
        ("python", "get", "pods/nope", "404"),
        ("curl", "get", "secrets/db-cred", "200"),
        ("kubectl", "create", "secrets/api-key", "201"),
        ("kubectl", "get", "pods/agent/exec", "101"),
    ]:
        rows = [line.split() for line in listed.splitlines()[2:]]
        assert [row for row in rows if row[2].startswith(program) and [*row[3:5], row[6]] == [verb, subject, code]], (program, listed)
    assert "2 values masked" in done.stdout
    assert "exit 3 NonZeroExitCode" in done.stdout
    assert done.stderr.count(" · complete · ") == 3, done.stderr
