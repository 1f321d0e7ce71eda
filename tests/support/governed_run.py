"""`chaperone run --policy` as a user types it, against the demo API server: real agent, real collector."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.apiserver import ApiServer
from support.collectors import ask, leave

CHAPERONE = Path(sys.executable).with_name("chaperone")
NOT_READY, TRIES = "the agent was not ready", 3  # on a machine that is busy with something else
HEAD = """apiVersion: chaperone.dev/v1
kind: Policy
metadata: {name: agents}
onFailure: deny
uncovered: deny
verdictTimeout: 20s
rules:
"""
SAID = 'said() { name=$1; shift; "$@" >$OUT/$name.out 2>$OUT/$name.err; echo $? >$OUT/$name.status; }'


def governed(
    place: Path, server: ApiServer, rules: str, *command: str | Path, wait_s: float = 240, **extra: str
) -> "subprocess.CompletedProcess[str]":
    """A run under a policy of these rules, to its end; `extra`: for its environment."""
    argv, environment = asked(place, rules, command), variables(place, server, extra)
    for _ in range(TRIES):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=wait_s, check=False)
        if NOT_READY not in done.stderr:
            break
    return done


def asked(place: Path, rules: str, command: Sequence[str | Path], head: str = HEAD) -> list[str]:
    """The command line of such a run."""
    (place / "policy.yaml").write_text(head + rules)
    return [str(each) for each in (CHAPERONE, "run", "--store", place / "store", "--policy", place / "policy.yaml", "--", *command)]


def variables(place: Path, server: ApiServer, extra: Mapping[str, str]) -> dict[str, str]:
    """Its environment: what clients are told of the server, and how a script keeps what they say (`eval "$SAID"`)."""
    told = {"KUBECONFIG": server.kubeconfig, "CA": server.ca, "TOKEN": server.token, "PORT": server.port}
    told |= {"URL": f"{server.url}/api/v1/namespaces/default", "OUT": place, "HOME": place}
    own = {"PATH": f"{CHAPERONE.parent}:{os.environ['PATH']}", "PYTHON": sys.executable, "SAID": SAID}
    return {**os.environ, **{name: str(value) for name, value in told.items()}, **own, **extra}


def said(place: Path, name: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of a command that a script kept by `said`."""
    file = place / name
    return int(file.with_suffix(".status").read_text()), file.with_suffix(".out").read_text(), file.with_suffix(".err").read_text()


def calls(place: Path) -> list[dict[str, Any]]:
    """What was recorded."""
    return ask(place / "store", "calls.list", limit=1000)


@contextmanager
def storing(place: Path) -> Iterator[Path]:
    """Where a run may leave its collector: that ends here."""
    try:
        yield place
    finally:
        leave(place / "store")
