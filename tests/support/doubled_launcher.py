"""`python doubled_launcher.py CMD ARGS…`: the launcher with agent_double as its agent and nobody as its collector.

With COLLECTOR_SOCKET in the environment the agent is the real one and that socket is its collector's; with ENFORCE, a JSON object of
further session options, it enforces.
Says on stderr what it found out: {"status", "left", "troubles"}, or why it did not begin.
"""

import json
import os
import sys
import threading
from pathlib import Path

from support import agent_double

from chaperone.collector.cli.launch import agent, child, launcher
from chaperone.collector.cli.launch.failed import LaunchError
from chaperone.collector.cli.launch.launcher import Request, prepare
from chaperone.collector.cli.run import policies_of


def main() -> int:
    socket = Path(os.environ.get("COLLECTOR_SOCKET", ""))
    if not socket.name:
        agent.AGENT = (sys.executable, agent_double.__file__)
        agent.READY_S = 3.0
    else:
        agent.READY_S = 60.0  # a machine that is busy with other things
    fork = child.fork

    def counted(plan: child.Plan) -> child.Child:
        assert threading.active_count() == 1, "nothing may have started a thread before the fork"
        assert len(list(Path("/proc/self/task").iterdir())) == 1
        return fork(plan)

    child.fork = counted
    about = launcher.about
    launcher.about = lambda run, pid: {**about(run, pid), **json.loads(os.environ.get("ENFORCE", "{}"))}
    try:
        _, terms, record = policies_of([Path(file) for file in os.environ.get("RUN_POLICIES", "").split()])
        request = Request(tuple(sys.argv[1:]), socket, os.environ.get("RUN_AS"), terms=terms, record=record)
        outcome = launcher.perform(prepare(request), lambda: None)
    except LaunchError as error:
        print(json.dumps({"sentence": error.sentence, "fix": error.fix}), file=sys.stderr)
        return error.status
    print(json.dumps({"left": outcome.left, "troubles": outcome.troubles}), file=sys.stderr)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
