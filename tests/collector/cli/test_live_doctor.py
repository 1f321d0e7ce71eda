"""doctor on the kernel that runs: what that kernel forbids is said, and of its own nothing is missing."""

import json
import subprocess
from pathlib import Path

from support.kernel import skip_without_kernel

SCOPE, LOCKDOWN, WORDS = map(Path, ("/proc/sys/kernel/yama/ptrace_scope", "/sys/kernel/security/lockdown", "/proc/cmdline"))


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_what_this_kernel_forbids_is_said(tmp_path: Path) -> None:
    """Yama's ptrace_scope 3 is a limit, a lockdown that hides memory is the end of it; most kernels have neither."""
    hides = "[confidentiality]" in text(LOCKDOWN) or "lockdown=confidentiality" in text(WORDS).split()
    nobody_traces = text(SCOPE).strip() == "3" or "sysctl.kernel.yama.ptrace_scope=3" in text(WORDS).split()
    if not hides:
        skip_without_kernel()
    done = subprocess.run(["chaperone", "doctor", "--store", tmp_path, "-o", "json"], capture_output=True, text=True, check=False)
    needs = json.loads(done.stdout)
    missing = [need["what"] for need in needs if not need["ok"]]
    assert missing == ["kernel lockdown 'confidentiality' forbids BPF to read memory"] * hides
    assert done.returncode == bool(missing)
    limited = [need["what"] for need in needs if need["limited"] and "nothing is enforced" in need["what"]]
    assert len(limited) == (nobody_traces and not hides)
