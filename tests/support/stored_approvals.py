"""A store with approvals that wait, in a process of its own (chdb opens one path a process). `python -m support.stored_approvals DIR`."""

import asyncio
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from support.approving import asking

from chaperone.collector.enforce.approvals.book import Book
from chaperone.collector.enforce.approvals.document import document
from chaperone.collector.enforce.approvals.values import Approval, Need
from chaperone.collector.store.committer import Pace
from chaperone.collector.store.directory import hold
from chaperone.collector.store.opened import opened

NEEDS = {
    "plain": Need("roles", "agents", 1, ("unix:root", "user:ann")),
    "two": Need("exec", "agents", 2, ("unix:root", "user:ann")),
    "other": Need("exec", "agents", 1, ("user:ann",)),
    "own": Need("roles", "agents", 1, ("unix:root",)),
}


def put(directory: Path) -> dict[str, str]:
    """Make the store; the ids by the names of NEEDS. root makes the request `own` itself."""
    tests = Path(__file__).parents[1]
    told = subprocess.run(
        [sys.executable, "-m", "support.stored_approvals", str(directory)],
        check=True,
        timeout=60,
        cwd=tests,
        text=True,
        capture_output=True,
    )
    return dict(line.split() for line in told.stdout.splitlines())


def _made() -> dict[str, Approval]:
    book, found = Book(), {}
    for number, (name, need) in enumerate(NEEDS.items()):
        asks = asking(number, need, binding=f"{number:064x}", identities=frozenset({"unix:root"} if name == "own" else {"user:agent"}))
        told = {"command": "bash -l", "shell": "bash, interactive", "diff": ['+ rules.[0].verbs: ["*"]']} if name == "two" else {}
        book.ask(replace(asks, alert=replace(asks.alert, approval=told)), time.time_ns())
        found[name] = book.take()[0]
    return found


async def _fill(directory: Path, approvals: list[Approval]) -> None:
    with hold(directory) as held:
        async with opened(held, Pace()) as store:
            ticket = asyncio.ensure_future(store.keep_approvals([document(one) for one in approvals]))
            await asyncio.sleep(0)
            await store.finish()
            assert await ticket == ""


if __name__ == "__main__":
    made = _made()
    asyncio.run(_fill(Path(sys.argv[1]), list(made.values())))
    for name, approval in made.items():
        sys.stdout.write(f"{name} {approval.id}\n")
