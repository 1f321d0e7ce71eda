"""What a process that has confined itself can still do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFINED = """
import json, os, resource, socket
from chaperone.agent.confine import confine
confine({resource.RLIMIT_FSIZE: 0}, keeps_network=KEEPS)
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
told = {name: status[name].split() for name in ("CapEff", "CapPrm", "CapInh", "NoNewPrivs", "Uid", "Gid", "Groups")}
print(json.dumps({**told, "size": resource.getrlimit(resource.RLIMIT_FSIZE), "net": os.stat("/proc/self/ns/net").st_ino}))
"""


def confined(keeps_network: bool) -> "dict[str, object]":
    script = CONFINED.replace("KEEPS", str(keeps_network))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
@pytest.mark.parametrize("keeps_network", [True, False])
def test_it_is_nobody_for_good(keeps_network: bool) -> None:
    told = confined(keeps_network)
    assert [told[name] for name in ("CapEff", "CapPrm", "CapInh", "NoNewPrivs")] == [["0" * 16]] * 3 + [["1"]]
    assert told["Uid"] == told["Gid"] == ["65534"] * 4
    assert (told["Groups"], told["size"]) == ([], [0, 0])
    assert (told["net"] == Path("/proc/self/ns/net").stat().st_ino) is keeps_network
