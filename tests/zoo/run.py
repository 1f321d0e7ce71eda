"""Run the whole zoo and write docs/clients.md: `make zoo`. Ends with 1 if a recording does not say what the server says."""

import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.clients import CLIENTS, ROOT
from zoo.keeper import READ, Visit, missing, visit

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.collector.cli.clients import STACKS, Stack

PAGE = ROOT / "docs/clients.md"
HEAD = """# Clients

What becomes of a client's TLS. *Read*: its plaintext is recorded. *Unread*: its connections are listed with their bytes, and a note
names program, TLS stack and destination; nothing of it passes in silence. The stack is read from the files that the program executes,
which are kept open until it has been gone for some seconds. `chaperone clients` prints this table; `-o json` and `-o yaml` give it to
programs.

"""
VISITS = """
Real programs, each recorded once by `make zoo` and compared with the server's own byte log: *every byte* means that the recording
has each byte of both directions, on the connection that the server saw; *named*, that the recording states its connection, its bytes
and its stack. Bytes are those that the server got and sent.

"""


def main() -> int:
    """Visit every client that is here."""
    visits: list[Visit] = []
    with Tracer(TracerSettings(ring_pages=4096)) as tracer:
        for client in CLIENTS:
            if lacks := missing(client):
                print(f"skipped: {client.name} needs {lacks}")
                continue
            with tempfile.TemporaryDirectory() as folder:
                visits.append(visit(tracer, client, Path(folder)))
            print(f"{verdict(visits[-1])}: {client.name}", flush=True)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(HEAD + "\n".join(stack_rows(STACKS)) + "\n" + VISITS + "\n".join(visit_rows(visits)) + "\n")
    return int(any(one.faults for one in visits))


def verdict(one: Visit) -> str:
    """What the table says of a visit."""
    if one.faults:
        return f"fault: {'; '.join(one.faults)}"
    return "every byte" if READ[one.client.stack].is_read else "named"


def stack_rows(stacks: Iterable[Stack]) -> Iterator[str]:
    """The table of `chaperone clients`, in Markdown."""
    yield from ("| | TLS stack | how | clients |", "| --- | --- | --- | --- |")
    for stack in stacks:
        yield f"| {'read' if stack.is_read else 'unread'} | {stack.name} | {stack.how} | {stack.programs} |"


def visit_rows(visits: Iterable[Visit]) -> Iterator[str]:
    """One row a client."""
    yield f"Kernel {platform.release().partition('-')[0]}.\n"
    yield from ("| client | TLS stack | recorded | bytes out | bytes in |", "| --- | --- | --- | --- | --- |")
    for one in visits:
        yield f"| {one.client.name} | {one.client.stack} | {verdict(one)} | {one.out} | {one.into} |"


if __name__ == "__main__":
    sys.exit(main())
