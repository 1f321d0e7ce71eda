"""The real agent under the real launcher, with a collector that decides by a function."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support import doubled_launcher
from support.apiserver import ApiServer
from support.deciding_collector import DecidingCollector, Judge
from support.kernel import skip_without_kernel

from chaperone.collector.wire.events import Request
from chaperone.proto.refusals import Refusal

NO = Refusal("r-1", 'denied by policy "no-changes"')


def no_changes(request: Request) -> Refusal | None:
    return None if request.method == "GET" and "/exec" not in request.target else NO


@contextmanager
def deciding(tmp_path: Path, judge: Judge = no_changes) -> Iterator[DecidingCollector]:
    skip_without_kernel()
    collector = DecidingCollector(tmp_path / "collector.sock", judge)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def launch(
    collector: DecidingCollector, server: ApiServer, *command: str, under: Sequence[str] = (), **terms: str
) -> "subprocess.CompletedProcess[str]":
    """`under`: what runs all of it."""
    with launching(collector, server, *command, under=under, **terms) as process:
        try:
            said, told = process.communicate(timeout=90)
        except BaseException:
            process.kill()  # or it is waited for
            raise
        return subprocess.CompletedProcess(command, process.returncode, said, told)


def launching(
    collector: DecidingCollector, server: ApiServer, *command: str, under: Sequence[str] = (), **terms: str
) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(doubled_launcher.__file__).parents[1]),
        "COLLECTOR_SOCKET": str(collector.socket),
        "KUBECONFIG": str(server.kubeconfig),
        "ENFORCE": json.dumps({"mode": "enforce", "on_failure": "deny", **terms}),
    }
    argv = [*under, sys.executable, doubled_launcher.__file__, *command]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
