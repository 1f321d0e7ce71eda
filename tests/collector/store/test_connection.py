from chaperone.collector.mask.masker import Masker
from chaperone.collector.store.connection import connection
from chaperone.collector.store.rows import Kind
from chaperone.proto.ids import ConnectionId, ProcessId, SessionId
from chaperone.proto.records import Connection

OFFSET = 1_700_000_000_000_000_000
BEGUN = (ConnectionId("c"), SessionId("s"), ProcessId("p"), 5, 9, "10.0.0.1:1", "10.0.0.2:443", "tcp")
NAME = Masker(b"k" * 32).text("api.test")


def test_a_connection_is_one_thing_in_two_versions() -> None:
    begun = connection(Connection(*BEGUN), NAME, OFFSET)
    over = connection(Connection(*BEGUN, "api.test", "TLS 1.3", 8, 1, 2, 3, 4, 5, 6, "complete", "gap: 2 bytes"), NAME, OFFSET)
    assert (begun.kind, begun.session, begun.id, begun.process) == (over.kind, over.session, over.id, over.process)
    assert begun.kind is Kind.CONNECTION and begun.phase < over.phase
    assert "ended" not in begun.document
    assert begun.document["serverName"] == "api.test"
    assert over.document["ended"] == "2023-11-14T22:13:20.000000008Z"
    said = [over.document[key] for key in ("bytes", "applicationBytes", "captured", "coverage")]
    numbers = [{"out": 1, "in": 2}, {"out": 3, "in": 4}, {"out": 5, "in": 6}]
    assert said == [*numbers, {"out": "complete", "in": "gap: 2 bytes"}]
