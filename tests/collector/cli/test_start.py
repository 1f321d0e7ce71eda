"""The command's first moments."""

import signal
import subprocess
import sys

LOADING = """
import importlib.abc, os, signal, sys
class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "chaperone.collector.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from chaperone.collector.cli.start import main
"""
RUNNING = """
import signal
from chaperone.collector.cli import app, start
app.main = lambda: print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
start.main()
"""


def started(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, "--version"], capture_output=True, text=True, timeout=60, check=False)


def test_an_interrupt_while_it_is_loaded_ends_it_without_a_word() -> None:
    ended = started(LOADING + "main()")
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_an_ignored_interrupt_stays_ignored() -> None:
    ended = started("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + LOADING + "main()")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("chaperone ")


def test_once_it_is_loaded_an_interrupt_is_python_s_again() -> None:
    assert started(RUNNING).stdout == "True\n"
