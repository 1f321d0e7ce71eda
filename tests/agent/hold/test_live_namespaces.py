"""Live: an agent whose pid namespace is not the machine's own, as on a node that is a container (kind, minikube, k3d)."""

from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.launched import deciding, launch

from chaperone.proto.records import Hold, ProcessEnded, ProcessSeen

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
NESTED = ("unshare", "--pid", "--fork", "--mount-proc")


@pytest.mark.parametrize("within", [(), NESTED], ids=["beside the agent", "further in"])
@pytest.mark.parametrize("node", [NESTED, (*NESTED, *NESTED)], ids=["in a container", "in a container in a container"])
def test_its_processes_are_known_held_and_denied(
    tmp_path: Path, apiserver: ApiServer, node: tuple[str, ...], within: tuple[str, ...]
) -> None:
    script = "kubectl get pods -o name; kubectl delete pod agent; exit 5"
    with deciding(tmp_path) as collector:
        done = launch(collector, apiserver, *within, "sh", "-c", script, under=node)
        records = collector.records()
    assert done.returncode == 5 and "pod/agent" in done.stdout and 'denied by policy "no-changes"' in done.stderr
    assert not [asked for asked in apiserver.requests() if asked["method"] == "DELETE"]
    seen = {record.process: record for record in records if isinstance(record, ProcessSeen)}
    run = [record for record in seen.values() if record.argv[:1] == ("kubectl",)]
    assert [record.argv[1] for record in run] == ["get", "delete"] and all(record.pid for record in seen.values())
    assert {seen[record.parent].argv for record in run if record.parent} == {("sh", "-c", script)}
    assert {record.process for record in run} <= {record.process for record in records if isinstance(record, ProcessEnded)}
    assert any(isinstance(record, Hold) for record in records)
