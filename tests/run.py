"""Every test, in two halves side by side: those that load BPF mostly wait, the others mostly calculate. `python tests/run.py`."""

import signal
import subprocess
import sys
import tempfile

PYTEST = (sys.executable, "-m", "pytest", "-q", "-m")


def main() -> int:
    """0 if both passed. What the first half says comes when the second has said all."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)  # who runs us in the background may have them ignored, and tests send them
    with tempfile.TemporaryFile() as said:
        kernel = subprocess.Popen([*PYTEST, "kernel"], stdout=said, stderr=said)
        others = subprocess.run([*PYTEST, "not kernel"], check=False)
        status = kernel.wait()
        said.seek(0)
        sys.stdout.write("\ntests: those that load BPF\n" + said.read().decode(errors="replace"))
    return others.returncode or status


if __name__ == "__main__":
    sys.exit(main())
