"""Short-lived clients, each from a file that nobody has seen before: a copy of its own of the program or of its TLS library."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.apiserver import ApiServer
from support.kernel import entering
from support.tls_server import libssl

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
KUBECTL = Path(sys.executable).with_name("kubectl")
PYTHON = """
import ssl, sys, urllib.request as u
url, ca, token = sys.argv[1:]
u.urlopen(u.Request(url, headers={"Authorization": "Bearer " + token}), context=ssl.create_default_context(cafile=ca)).read()
"""
KINDS = ("curl", "curl", "curl", "wget", "wget", "python", "curl", "wget", "curl", "python")
KUBECTL_EVERY = 25  # its copy is 60 MB


@dataclass(slots=True)
class Client:
    """One process; boot-time seconds of its begin and its end, as far as we know them from outside."""

    number: int
    kind: str
    process: "subprocess.Popen[bytes]"
    folder: Path
    began: float
    ended: float = 0.0

    def is_over(self) -> bool:
        """Whether it has ended; then its files are gone, too. RuntimeError if it failed."""
        if self.process.poll() is None:
            return False
        self.ended = now()
        shutil.rmtree(self.folder)
        if self.process.returncode:
            raise RuntimeError(f"client {self.number}, {self.kind}, ended with {self.process.returncode}")
        return True


def now() -> float:
    """Boot-time seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def path_of(number: int) -> str:
    """What client `number` asks for; nobody else does."""
    return f"/version?client={number}"


def started(number: int, cgroup: Path, server: ApiServer, folder: Path) -> Client:
    """A client in a governed cgroup."""
    kind = KINDS[number % len(KINDS)] if number % KUBECTL_EVERY else "kubectl"
    own = folder / str(number)
    own.mkdir()
    argv, environment = _argv(kind, f"{server.url}{path_of(number)}", server, own), {**os.environ, "LD_LIBRARY_PATH": str(own)}
    began = now()
    process = subprocess.Popen([*entering(cgroup), *argv], env=environment, stdout=subprocess.DEVNULL)
    return Client(number, kind, process, own, began)


def _argv(kind: str, url: str, server: ApiServer, own: Path) -> Sequence[str]:
    token = f"Authorization: Bearer {server.token}"
    if kind == "kubectl":
        shutil.copy(KUBECTL.resolve(), own / "kubectl")
        return [str(own / "kubectl"), "--kubeconfig", str(server.kubeconfig), "get", "--raw", url.removeprefix(server.url)]
    shutil.copy(LIBRARIES / "libgnutls.so.30" if kind == "wget" else libssl(), own)
    if kind == "curl":
        return ["curl", "-sS", "--cacert", str(server.ca), "-H", token, url]
    if kind == "wget":
        return ["wget", "-q", "-O", "-", f"--ca-certificate={server.ca}", f"--header={token}", url]
    return [sys.executable, "-c", PYTHON, url, str(server.ca), server.token]
