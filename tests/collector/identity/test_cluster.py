"""What goes wrong between us and an API server; what goes right: test_reviews.py and test_secrets.py."""

import asyncio
from pathlib import Path

import pytest

from chaperone.collector.identity.cluster import Cluster, ClusterError


@pytest.mark.parametrize("text", ["", "{}", "[", "5", "users: 5"])
def test_what_is_no_kubeconfig_is_an_error_of_ours(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    async def never(api: object) -> None:
        raise AssertionError

    with pytest.raises(ClusterError, match="cannot be asked"):
        asyncio.run(Cluster(path).ask(never))


def test_outside_a_pod_there_is_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    async def never(api: object) -> None:
        raise AssertionError

    with pytest.raises(ClusterError, match="ConfigException"):
        asyncio.run(Cluster(None).ask(never))
