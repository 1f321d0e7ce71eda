"""The clients that are quick to get, recorded and compared with the server's byte log; the rest by `make zoo`. And the page of all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.kernel import skip_without_kernel
from support.live_recording import Altered
from zoo.clients import CLIENTS, QUICK, ROOT, Client
from zoo.keeper import READ, missing, visit
from zoo.run import stack_rows

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import TlsBytes, Value
from chaperone.collector.cli.clients import STACKS


@pytest.fixture(scope="module")
def tracer() -> Iterator[Tracer]:
    skip_without_kernel()
    with Tracer(TracerSettings(ring_pages=4096)) as opened:
        yield opened


@pytest.mark.kernel
@pytest.mark.parametrize("client", QUICK, ids=lambda client: client.name)
def test_a_client_is_recorded_byte_for_byte_or_named(tracer: Tracer, tmp_path: Path, client: Client) -> None:
    if lacks := missing(client):
        pytest.skip(f"no {lacks}")
    assert visit(tracer, client, tmp_path).faults == ()


@pytest.mark.kernel
def test_a_chunk_that_is_taken_away_is_a_fault(tracer: Tracer, tmp_path: Path) -> None:
    taken: list[TlsBytes] = []

    def without_one(values: list[Value]) -> list[Value]:
        taken.extend(value for value in values if isinstance(value, TlsBytes) and not taken)
        return [value for value in values if value not in taken[:1]]

    client = next(one for one in QUICK if one.name == "Python ssl")
    faults = visit(Altered(tracer, without_one), client, tmp_path).faults
    assert any("bytes out, not the" in fault for fault in faults)
    assert any("its coverage is gap" in fault for fault in faults)


def test_the_page_has_the_table_of_the_command_and_no_fault() -> None:
    page = (ROOT / "docs/clients.md").read_text()
    assert "\n".join(stack_rows(STACKS)) in page
    assert "fault" not in page


def test_the_page_has_every_client_of_the_zoo() -> None:
    rows = [row.split(" | ") for row in (ROOT / "docs/clients.md").read_text().splitlines() if row.count("|") == 6]
    said = {row[0].removeprefix("| "): (row[1], row[2]) for row in rows[2:]}
    assert said == {client.name: (client.stack, "every byte" if READ[client.stack].is_read else "named") for client in CLIENTS}
