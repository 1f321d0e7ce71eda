"""`chaperone agent` and `chaperone collector` become those processes, with all their options."""

import subprocess
import sys
from pathlib import Path

CHAPERONE = Path(sys.executable).with_name("chaperone")


def test_the_collectors_options_are_its_own(tmp_path: Path) -> None:
    helped = subprocess.run([CHAPERONE, "collector", "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert "--exit-when-idle" in helped.stdout
    command = [CHAPERONE, "collector", "--store", str(tmp_path / "store"), "--exit-when-idle", "0.1"]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert (tmp_path / "store").is_dir()


def test_the_agent_is_a_process_of_its_own() -> None:
    helped = subprocess.run([CHAPERONE, "agent", "--help"], capture_output=True, text=True, timeout=30, check=True)
    assert "--control-fd" in helped.stdout
