"""An API server that is asked by us: the pod's own service account, or a kubeconfig."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import aiohttp
import yaml
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client.api_client import ApiClient

PATIENCE_S = 5.0
T = TypeVar("T")


class ClusterError(Exception):
    """The API server refused or did not answer; the message is one sentence. `status`: of its answer, 0 without one."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class Cluster:
    """Connects at the first question. `kubeconfig`: None for the pod's own service account."""

    def __init__(self, kubeconfig: Path | None) -> None:
        self._kubeconfig = kubeconfig
        self._api: ApiClient | None = None

    async def ask(self, question: Callable[[ApiClient], Awaitable[T]]) -> T:
        """What a call of kubernetes_asyncio gives. ClusterError."""
        try:
            return await question(await self._connected())
        except client.ApiException as error:
            raise ClusterError(f"the API server refuses: {error.status} {error.reason}", error.status or 0) from None
        except (aiohttp.ClientError, config.ConfigException, yaml.YAMLError, TypeError, KeyError, TimeoutError, OSError) as error:
            raise ClusterError(f"the API server cannot be asked: {type(error).__name__}") from None

    async def find(self, question: Callable[[ApiClient], Awaitable[T]]) -> T | None:
        """The same of one object; None where there is none."""
        try:
            return await self.ask(question)
        except ClusterError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def close(self) -> None:
        """Hang up."""
        if self._api:
            await self._api.close()

    async def _connected(self) -> ApiClient:
        if self._api is None:
            settings = client.Configuration()
            if self._kubeconfig is None:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            else:
                await config.load_kube_config(str(self._kubeconfig), client_configuration=settings)
            self._api = ApiClient(settings)
        return self._api
