from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.taint import Left
from chaperone.collector.store.document import Place
from chaperone.collector.store.leak import leak
from chaperone.collector.store.rows import Kind

TEXT = Masker(b"k" * 32).text
LEFT = Left("ns/db:pw", "~masked-6-3f2a9c01b2d4e6f8~", "aaaabbbbcccc", 5, "stdin", 9, 40, "")
PLACE = Place("session", "57" * 16, {"id": "process", "pid": 7}, 1_000_000_000)


def test_a_leak_says_what_left_where_to_and_where_it_was_read() -> None:
    row = leak(LEFT, TEXT("ns/db:pw"), TEXT("host:443"), "ccccddddeeee", PLACE)
    assert (row.kind, row.session, row.position, row.time, row.process) == (Kind.LEAK, "session", 40, 1_000_000_009, "process")
    assert (
        row.document["text"]
        == "secret ns/db:pw (read in call aaaabbbb at 1970-01-01T00:00:01.000000005Z) left to host:443 in connection 57575757 (stdin)"
    )
    assert row.document["subject"] == "call ccccdddd" and row.document["fingerprint"] == LEFT.fingerprint


def test_the_same_leak_is_the_same_row_and_another_place_another() -> None:
    first, again, other = (leak(LEFT, TEXT("ns/db:pw"), TEXT(""), call, PLACE) for call in ("c", "c", ""))
    assert first == again and first.id != other.id
    assert "left to an unknown host" in other.document["text"] and other.document["subject"] == "stream 57575757"
