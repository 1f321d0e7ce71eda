"""`python spooling_agent.py STORE NAME ROUNDS PAUSE [MEMORY] [NOISE]`: an agent without a kernel, to be killed.

Says one long HTTP/2 connection over the agent's own outbox, spool and uplink; on stdout, per batch that was closed, how many records
went into batches so far. ROUNDS 0: only deliver what earlier ones left. Ends when everything is confirmed.
"""

import sys
import time
from pathlib import Path

from support.conversations import Conversation
from support.h2_conversation import long_connection

from chaperone.agent.deliver import outbox as module
from chaperone.agent.deliver.cargo import load, state
from chaperone.agent.deliver.outbox import Outbox
from chaperone.agent.deliver.uplink import Uplink
from chaperone.agent.settings import SessionOptions, Settings, Storage
from chaperone.collector.store.directory import socket_target
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.records import Record

PATIENCE_S = 60


def main() -> int:
    store, name, rounds, pause_s = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    memory, noise = (int(text) for text in (*sys.argv[5:], *("67108864", "0")[len(sys.argv[5:]) :]))
    module.CACHE = min(memory, module.CACHE)
    cargo, trouble = load(Settings((), (), "", SessionOptions(), memory=memory, storage=Storage(store / "spool")), name)
    outbox, spool, leftovers = cargo.outbox, cargo.outbox.spool, cargo.leftovers
    assert spool and leftovers, trouble
    outbox.change(3000, 0)
    uplink = Uplink(socket_target(store), wire.Hello(contract=1, agent=name, boot_id="boot"), cargo)
    uplink.start()
    state(cargo, lambda text: print(text, file=sys.stderr))
    if rounds:
        say(outbox, long_connection(rounds, Conversation(name), noise), pause_s)
    outbox.flush()
    deadline = time.monotonic() + PATIENCE_S
    while leftovers.under_way() and time.monotonic() < deadline:
        time.sleep(0.02)
    is_confirmed = uplink.finish(PATIENCE_S)
    spool.close()
    print("left", outbox.lost, len(leftovers.starts), flush=True)
    return 0 if is_confirmed and not leftovers.starts else 1


def say(outbox: Outbox, records: list[Record], pause_s: float) -> None:
    """Tell how many records are in closed batches."""
    closed = 0
    for said, record in enumerate(records, 1):
        outbox.put(record)
        outbox.tick()
        if outbox._number > closed:
            closed = outbox._number
            print(said - len(outbox._open.records), flush=True)
        time.sleep(pause_s)
    outbox.flush()
    print(len(records), flush=True)


if __name__ == "__main__":
    sys.exit(main())
