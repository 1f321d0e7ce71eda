"""A list and an object by kubernetes-asyncio: aiohttp, so TLS in memory BIOs."""

import asyncio
import sys

from kubernetes_asyncio import client, config


async def main() -> None:
    await config.load_kube_config(sys.argv[3])
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        await core.list_namespaced_pod("default")
        await core.read_namespaced_secret("db-cred", "default")


asyncio.run(main())
