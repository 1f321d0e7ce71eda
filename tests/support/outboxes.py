"""What an outbox has for a collector."""

import zstandard

from chaperone.agent.deliver.outbox import Outbox
from chaperone.proto.records import Record, unpack


def waiting(outbox: Outbox) -> list[Record]:
    """All records of batches of which nobody has said that they have arrived."""
    found, number = list[Record](), 0
    while batch := outbox.after(number, 0):
        number = batch.number
        found += unpack(zstandard.ZstdDecompressor().decompress(batch.records))
    return found
