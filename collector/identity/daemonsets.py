"""DaemonSets of a cluster, as whoever removes agents needs them: deleted with all their pods, and looked at."""

from typing import Any

from kubernetes_asyncio import client
from kubernetes_asyncio.client.api_client import ApiClient

from chaperone.collector.identity.away import Pod
from chaperone.collector.identity.cluster import PATIENCE_S, Cluster


class DaemonSets:
    """Those of one namespace. Each question may be a ClusterError."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    async def delete(self, name: str) -> None:
        """Have it deleted, and before it its pods: as long as one of them is left, it is there. Nothing where there is none."""

        async def asked(api: ApiClient) -> Any:
            apps = client.AppsV1Api(api)
            return await apps.delete_namespaced_daemon_set(
                name, self._namespace, propagation_policy="Foreground", _request_timeout=PATIENCE_S
            )

        await self._cluster.find(asked)

    async def waiting(self, name: str) -> tuple[int, int] | None:
        """On how many nodes its pod is not ready, and how many there are; None where there is no such DaemonSet."""

        async def asked(api: ApiClient) -> Any:
            return await client.AppsV1Api(api).read_namespaced_daemon_set(name, self._namespace, _request_timeout=PATIENCE_S)

        found = await self._cluster.find(asked)
        if found is None:
            return None
        status = found.status
        if (status.observed_generation or 0) < found.metadata.generation:  # nobody has looked yet which nodes there are
            return 1, 1
        return status.desired_number_scheduled - status.number_ready, status.desired_number_scheduled

    async def pods(self, name: str) -> tuple[Pod, ...]:
        """Its pods; none where there is no such DaemonSet."""

        async def asked(api: ApiClient) -> Any:
            found = await client.AppsV1Api(api).read_namespaced_daemon_set(name, self._namespace, _request_timeout=PATIENCE_S)
            chosen = ",".join(f"{key}={value}" for key, value in sorted(found.spec.selector.match_labels.items()))
            return await client.CoreV1Api(api).list_namespaced_pod(self._namespace, label_selector=chosen, _request_timeout=PATIENCE_S)

        found = await self._cluster.find(asked)
        return tuple(map(_pod, found.items)) if found else ()


def _pod(found: Any) -> Pod:
    about, status = found.metadata, found.status
    said = {one.type: one.status == "True" for one in status.conditions or ()}
    is_ready = said.get("Ready", False)
    return Pod(
        about.uid,
        found.spec.node_name or "",
        is_ready,
        has_begun=status.start_time is not None,
        is_cut_off="Ready" in said and not is_ready and said.get("ContainersReady", False),
        grace_s=float(about.deletion_grace_period_seconds or 0) if about.deletion_timestamp else None,
    )
