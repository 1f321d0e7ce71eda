"""An agent without a kernel, for tests of the launcher: `AGENT_DOUBLE` says how it behaves, `AGENT_DOUBLE_LOG` what it was told."""

import argparse
import json
import os
import sys
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int)
    parser.add_argument("--ready-fd", type=int)
    options, told = parser.parse_known_args()
    about = json.load(sys.stdin)
    behaviour = os.environ.get("AGENT_DOUBLE", "")
    if behaviour == "crash":
        sys.stderr.write("Traceback\nRuntimeError: no luck\n")
        return 1
    if behaviour == "silent":
        time.sleep(100)
    answer = {"failed": "BTF is missing", "fix": "use a kernel with BTF"} if behaviour == "refuse" else {"session": "5e55"}
    os.write(options.ready_fd, json.dumps(answer).encode() + b"\n")
    if behaviour in ("refuse", "die"):
        return 0 if behaviour == "refuse" else os.kill(os.getpid(), 9) or 0
    said = os.fdopen(options.control_fd).read()
    Path(os.environ["AGENT_DOUBLE_LOG"]).write_text(json.dumps({"options": told, "about": about, "said": said}))
    trouble = "3 batches were never confirmed" if behaviour == "unconfirmed" else ""
    print(json.dumps({"bytes": 1, "chunks": 1, "lost": 0, "unconfirmed": 0, "trouble": trouble}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
