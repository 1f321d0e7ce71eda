"""`python recorded_alone.py FILE COMMAND…`: records a command in a process of its own; FILE gets the records, packed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.live_recording import recorded

from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.proto.records import pack

if __name__ == "__main__":
    with Tracer(TracerSettings(ring_pages=1024)) as tracer:
        Path(sys.argv[1]).write_bytes(pack(recorded(tracer, sys.argv[2:], statuses=(0,))))
