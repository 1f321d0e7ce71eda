"""What an agent of the version before left in its spool is passed on by this one, and opened by this collector.

previous/spool.json is such a folder, with the records of previous/records.msgpack in two batches, and the private key that it is sealed
to. It is made anew of the version that was released.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.agent.deliver.leftovers import Leftovers
from chaperone.collector.ingest.leftovers import Opener
from chaperone.proto.records import SessionEnded, unpack

PREVIOUS = Path(__file__).parent / "previous"
FOLDER = json.loads((PREVIOUS / "spool.json").read_text())


@pytest.fixture
def leftovers(tmp_path: Path) -> Iterator[Leftovers]:
    folder = tmp_path / FOLDER["agent"]
    folder.mkdir(0o700)
    for name, data in FOLDER["files"].items():
        (folder / name).write_bytes(base64.b64decode(data))
    found = Leftovers(tmp_path, 1 << 30)
    found.find()
    yield found
    found.close()


def test_both_batches_are_opened_and_the_session_ends(leftovers: Leftovers) -> None:
    opener = Opener(X25519PrivateKey.from_private_bytes(base64.b64decode(FOLDER["private"])))
    batches = [opener.batch(message.leftover) for message in leftovers.messages()]
    first, second, last = [batch for batch in batches if batch]
    assert (first.number, second.number, first.wall_offset_ns) == (3, 4, 7)
    for batch in (first, second):
        assert zstandard.ZstdDecompressor().decompress(batch.records) == (PREVIOUS / "records.msgpack").read_bytes()
    ends = [record for record in unpack(zstandard.ZstdDecompressor().decompress(last.records)) if isinstance(record, SessionEnded)]
    assert [ended.session for ended in ends] == ["5e" * 16]
    assert not leftovers.news()
