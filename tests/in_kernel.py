"""Run tests under another Debian kernel: boot it in qemu over this machine's own files, of which the guest changes none.

    python tests/in_kernel.py [--package linux-image-amd64] [--suite bullseye-security] [--append WORD]… [--minutes N] [TEST…]

The kernel is fetched from Debian and unpacked, never installed; virtme-ng boots it. Without KVM everything is about 15
times slower than here, more so on a busy machine; all the guest's clocks are then slowed too, so that limits which tests and
programs have hold as they do here. Needs root, qemu-system-x86, busybox-static, kmod, faketime, and `vng` beside the Python
that runs this. The status is that of the tests.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Not in /var/cache, which is empty in the guest: it could load no modules.
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "/var/lib")) / "chaperone-kernels"
# Not test_live_go.py: Go's compiler does not find its own packages on a guest's overlay. kubectl, in these, is Go.
LIVE = ("tests/agent/trace/test_kernel.py", "tests/agent/trace/test_tracer.py", "tests/agent/sockets/test_live_sockets.py")
# Its counter of cycles and its timers are of one pace, but emulation brings neither to all processors at the same moment.
UNTESTED_CLOCKS = ("tsc=reliable", "no_timer_check")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")
CONSOLE = re.compile(r"\[ *\d+\.\d{6}\] ")  # the guest's kernel log, which shares the tests' terminal


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default="linux-image-amd64", help="a kernel's package; a meta-package gives the newest of its kind")
    parser.add_argument("--suite", default="", help="of Debian's archive; without it, whatever apt is set up for")
    parser.add_argument("--append", action="append", default=[], metavar="WORD", help="for the kernel: sysctl.kernel.yama.ptrace_scope=3")
    parser.add_argument("--minutes", type=int, default=90, help="of this machine's time, after which the guest is ended")
    parser.add_argument("--memory", default="6G", help="of the guest")
    parser.add_argument("--slower", type=int, default=8, help="how many times slower the clock of an emulated guest goes")
    parser.add_argument("tests", nargs="*", default=LIVE, metavar="TEST")
    options = parser.parse_args()
    image = kernel(options.package, apt_for(options.suite) if options.suite else [])
    print(f"{image.name.removeprefix('vmlinuz-')}: {' '.join(options.tests)}", flush=True)
    slower = 1 if has_kvm() else options.slower
    return boot(image, options, slower)


def apt_for(suite: str) -> list[str]:
    """Options that point apt at one suite of the mirror this machine uses, with lists of its own."""
    own = CACHE / f"apt-{suite}"
    (own / "lists/partial").mkdir(parents=True, exist_ok=True)
    (own / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror(suite.endswith('-security'))} {suite} main\n")
    places = {"Etc::sourcelist": own / "sources.list", "Etc::sourceparts": "-", "State::lists": own / "lists", "Cache": own}
    options = [f"-oDir::{name}={value}" for name, value in places.items()]
    subprocess.run(["apt-get", "-qq", *options, "update"], check=True)
    return options


def mirror(security: bool) -> str:
    """The address of Debian's archive that apt uses here."""
    text = "\n".join(path.read_text() for path in SOURCES if path.exists())
    found = [address for address in re.findall(r"^(?:URIs:|deb(?: \[[^]]*\])?) +(\S+)", text, re.M) if ("security" in address) is security]
    if not found:
        raise SystemExit("in_kernel: apt has no address of Debian's archive")
    return str(found[0])


def kernel(package: str, apt: list[str]) -> Path:
    """The kernel's image, its modules where virtme-ng looks for them: in the same tree."""
    depends = subprocess.run(["apt-cache", *apt, "depends", package], capture_output=True, text=True, check=True).stdout
    newest = re.search(r"Depends: (linux-image-\d\S*)", depends)
    name = newest[1] if newest else package
    tree = CACHE / name
    if not list(tree.glob("boot/vmlinuz-*")):
        unpack(name, apt, tree)
    return next(tree.glob("boot/vmlinuz-*"))


def unpack(name: str, apt: list[str], tree: Path) -> None:
    """Fetch a package and what newer kernels are split into."""
    tree.mkdir(parents=True, exist_ok=True)
    depends = subprocess.run(["apt-cache", *apt, "depends", name], capture_output=True, text=True, check=True).stdout
    parts = [name, *re.findall(r"Depends: (linux-(?:binary|modules|base)-\d\S*)", depends)]
    subprocess.run(["apt-get", "-qq", *apt, "-oAPT::Sandbox::User=root", "download", *parts], cwd=tree, check=True)
    for file in tree.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", file, tree], check=True)
        file.unlink()
    if (tree / "usr/lib/modules").exists():
        (tree / "lib").mkdir(exist_ok=True)
        (tree / "usr/lib/modules").rename(tree / "lib/modules")
    for image in tree.glob("lib/modules/*/vmlinuz"):  # there since 7.x; its name tells virtme-ng the version
        (tree / "boot").mkdir(exist_ok=True)
        image.rename(tree / "boot" / f"vmlinuz-{image.parent.name}")
    subprocess.run(["depmod", "-b", tree, next((tree / "lib/modules").iterdir()).name], check=True)


def boot(image: Path, options: argparse.Namespace, slower: int) -> int:
    """The tests' status."""
    command = [str(ROOT / ".venv/bin/python"), "-m", "pytest", "-v", "--color=no", "-p", "no:cacheprovider", *options.tests]
    # The second is for that line: what a guest says at its end may be lost.
    script = f"CHAPERONE_KERNEL_TESTS=require HOME=/root TERM=dumb {shlex.join(command)}; echo status $?; sleep 1"
    vng = [str(Path(sys.executable).with_name("vng")), "--run", str(image), "--user", "root", "--force-9p", "-v"]
    vng += ["--memory", options.memory, "--cpus", str(os.cpu_count())]
    vng += ["--overlay-rwdir", str(ROOT), "--cwd", str(ROOT), *([] if has_kvm() else ["--disable-kvm"])]
    vng += [*(f"--append={word}" for word in [*options.append, *(UNTESTED_CLOCKS if slower > 1 else ())]), "--", script]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    status, ours = 125, {**os.environ, "PATH": path}
    command = ["timeout", f"{options.minutes}m", *slowed(vng, slower)]
    # Pipes for both: qemu would empty a file that it is given for its console.
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=ROOT, env=ours, text=True, errors="replace", **pipes) as guest:
        for line in guest.stdout or ():
            if not CONSOLE.match(line):
                print(line, end="", flush=True)
            if said := re.match(r"status (\d+)", line):
                status = int(said[1])
    return status


def has_kvm() -> bool:
    """Whether the guest's instructions are the processor's."""
    return bool(re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text())) and os.access("/dev/kvm", os.W_OK)


def slowed(command: list[str], slower: int) -> list[str]:
    """The command where a second is `slower` seconds long."""
    return command if slower == 1 else ["faketime", "-f", f"+0 x{1 / slower}", *command]


if __name__ == "__main__":
    sys.exit(main())
