from dataclasses import replace

from chaperone.collector.mask.masker import Masker
from chaperone.collector.store.connection import Named, connection
from chaperone.collector.store.rows import Kind
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId
from chaperone.proto.records import Connection

OFFSET = 1_700_000_000_000_000_000
BEGUN = (ConnectionId("c"), SessionId("s"), ProcessId("p"), 5, 9, "10.0.0.1:1", "10.0.0.2:443", "tcp")
MASKED = Masker(b"k" * 32).text
NAME = Named(MASKED("api.test"), (MASKED("a.test"), MASKED("b.test")))


def test_a_connection_is_one_thing_in_two_versions() -> None:
    begun = connection(Connection(*BEGUN), NAME, OFFSET)
    over = connection(Connection(*BEGUN, "api.test", "TLS 1.3", 8, 1, 2, 3, 4, 5, 6, "complete", "gap: 2 bytes"), NAME, OFFSET)
    assert (begun.kind, begun.session, begun.id, begun.process) == (over.kind, over.session, over.id, over.process)
    assert begun.kind is Kind.CONNECTION and begun.phase < over.phase
    assert "ended" not in begun.document
    assert (begun.document["serverName"], begun.document["names"]) == ("api.test", ["a.test", "b.test"])
    assert over.document["ended"] == "2023-11-14T22:13:20.000000008Z"
    said = [over.document[key] for key in ("bytes", "applicationBytes", "captured", "coverage")]
    numbers = [{"out": 1, "in": 2}, {"out": 3, "in": 4}, {"out": 5, "in": 6}]
    assert said == [*numbers, {"out": "complete", "in": "gap: 2 bytes"}]


def test_that_nobody_reads_it_is_a_version_between_and_stays() -> None:
    begun, over = Connection(*BEGUN), Connection(*BEGUN, ended=8)
    unread = [connection(replace(one, unread="NSS", known=7), NAME, OFFSET) for one in (begun, over)]
    versions = [(row.phase, row.position) for row in (connection(begun, NAME, OFFSET), *unread)]
    assert versions == sorted(set(versions))
    assert [(row.document["unread"], row.document["unreadSince"]) for row in unread] == [("NSS", "2023-11-14T22:13:20.000000007Z")] * 2
