"""`chaperone run` without agent and collector: `python bare_launcher.py CGROUP CMD ARGS…`, for tests of terminal and signals."""

import os
import sys
from pathlib import Path

from chaperone.collector.cli.launch.account import chosen
from chaperone.collector.cli.launch.child import Plan, fork
from chaperone.collector.cli.launch.command import resolve
from chaperone.collector.cli.launch.failed import LaunchError
from chaperone.collector.cli.launch.foreground import in_place_of_the_shell, wait


def main() -> int:
    account = chosen(None, os.environ, os.getuid())
    environment = account.environment(os.environ)
    try:
        child = fork(Plan(resolve(tuple(sys.argv[2:]), environment), account, environment, Path(sys.argv[1])))
        with in_place_of_the_shell() as arrivals:
            child.release()
            return wait(child.pid, arrivals, {})
    except LaunchError as error:
        print(error.sentence, file=sys.stderr)
        return error.status


if __name__ == "__main__":
    sys.exit(main())
