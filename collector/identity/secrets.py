"""Certificates in a namespace: a Secret for each name."""

import base64
from typing import Any

from kubernetes_asyncio import client
from kubernetes_asyncio.client.api_client import ApiClient

from chaperone.collector.identity.cluster import PATIENCE_S, Cluster, ClusterError
from chaperone.collector.identity.folder import Files, ShelfError

OWNER = {"app.kubernetes.io/managed-by": "chaperone"}


class Secrets:
    """A Shelf. Names get a prefix in the cluster."""

    def __init__(self, cluster: Cluster, namespace: str, prefix: str) -> None:
        self._cluster, self._namespace, self._prefix = cluster, namespace, prefix

    async def read(self, name: str) -> Files:
        """The Secret's data; empty without a Secret."""

        async def asked(api: ApiClient) -> Any:
            return await client.CoreV1Api(api).read_namespaced_secret(self._prefix + name, self._namespace, _request_timeout=PATIENCE_S)

        try:
            found = await self._cluster.find(asked)
        except ClusterError as error:
            raise ShelfError(f"secret {self._prefix}{name} cannot be read: {error}") from None
        return {file: base64.b64decode(data) for file, data in (found.data or {}).items()} if found else {}

    async def write(self, name: str, files: Files) -> None:
        """In the place of all that the Secret had, or as a new one."""
        data = {file: base64.b64encode(content).decode() for file, content in files.items()}
        meta = client.V1ObjectMeta(name=self._prefix + name, namespace=self._namespace, labels=OWNER)
        secret = client.V1Secret(api_version="v1", kind="Secret", metadata=meta, data=data, type="Opaque")

        async def replaced(api: ApiClient) -> Any:
            core = client.CoreV1Api(api)
            return await core.replace_namespaced_secret(self._prefix + name, self._namespace, secret, _request_timeout=PATIENCE_S)

        async def created(api: ApiClient) -> Any:
            return await client.CoreV1Api(api).create_namespaced_secret(self._namespace, secret, _request_timeout=PATIENCE_S)

        try:
            if await self._cluster.find(replaced) is None:
                await self._cluster.ask(created)
        except ClusterError as error:
            raise ShelfError(f"secret {self._prefix}{name} cannot be written: {error}") from None
