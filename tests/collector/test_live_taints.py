"""The real collector lifts a startup taint."""

import time
from pathlib import Path

from support.collectors import collector
from support.node_api import OTHER, UNREADY, node_api


def test_a_collector_that_is_asked_to_lifts_it(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    with node_api(tmp_path / "api") as api:
        api.nodes, api.agents = {"n1": [*UNREADY]}, {"a": ("n1", True)}
        kubeconfig = next((tmp_path / "api").glob("kubeconfig*"))
        with collector(tmp_path / "store", "--lift-startup-taint", str(kubeconfig)):
            deadline = time.monotonic() + 60
            while api.nodes["n1"] != [OTHER]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    assert {method for method, _ in api.asked} == {"GET", "PATCH"}
