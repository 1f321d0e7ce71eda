"""`python other_tracer.py CMD…`: runs it traced by us, as a debugger would, and passes its signals on; its status."""

import subprocess
import sys

from chaperone.agent.hold.seizer import Seizer


def main(command: list[str]) -> int:
    seizer = Seizer(lambda _stop: False)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        seizer.seize(child.pid)
        assert child.stdin is not None
        child.stdin.write(b"go\n")
        child.stdin.close()
        while child.pid in seizer.seized:
            seizer.call(lambda: None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
