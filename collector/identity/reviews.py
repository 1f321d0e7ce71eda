"""Ask the API server who a token is of, and what somebody may: TokenReview and SubjectAccessReview (Kubernetes API reference).

Answers are kept for half a minute: so long does a right that was taken away still hold.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, TypeVar

from kubernetes_asyncio import client
from kubernetes_asyncio.client.api_client import ApiClient

from chaperone.collector.identity.caller import Caller, Means, Right
from chaperone.collector.identity.cluster import PATIENCE_S, Cluster, ClusterError
from chaperone.collector.identity.refusals import ReviewError

GROUP = "chaperone.dev"
KEPT_S = 30.0
KEPT = 4096  # answers

T = TypeVar("T")


class ClusterReviews:
    """Reviews by an API server. `kubeconfig`: None for the pod's own service account."""

    def __init__(self, kubeconfig: Path | None) -> None:
        self._cluster = Cluster(kubeconfig)
        self._whose, self._may = _Kept[Caller | None](), _Kept[bool]()

    async def who(self, token: str) -> Caller | None:
        """Whose token it is; None if nobody's. ReviewError if the API server does not say."""
        return await self._whose.get(sha256(token.encode()).digest(), lambda: self._who(token))

    async def may(self, caller: Caller, right: Right, namespace: str) -> bool:
        """Whether RBAC (or whatever the cluster authorizes by) allows it. ReviewError if the API server does not say."""
        return await self._may.get((caller, right, namespace), lambda: self._asked(caller, right, namespace))

    async def close(self) -> None:
        """Hang up."""
        await self._cluster.close()

    async def _who(self, token: str) -> Caller | None:
        spec = client.V1TokenReview(api_version="authentication.k8s.io/v1", kind="TokenReview", spec=client.V1TokenReviewSpec(token=token))
        said = await self._said(lambda api: client.AuthenticationV1Api(api).create_token_review(spec, _request_timeout=PATIENCE_S))
        user = said.status.user
        if not said.status.authenticated or not user or not user.username:
            return None
        return Caller(user.username, frozenset(user.groups or ()), Means.TOKEN)

    async def _asked(self, caller: Caller, right: Right, namespace: str) -> bool:
        wanted = client.V1ResourceAttributes(group=GROUP, resource=right.resource, verb=str(right), namespace=namespace)
        spec = client.V1SubjectAccessReviewSpec(user=caller.name, groups=sorted(caller.groups), resource_attributes=wanted)
        review = client.V1SubjectAccessReview(api_version="authorization.k8s.io/v1", kind="SubjectAccessReview", spec=spec)
        said = await self._said(
            lambda api: client.AuthorizationV1Api(api).create_subject_access_review(review, _request_timeout=PATIENCE_S)
        )
        return bool(said.status.allowed) and not said.status.denied

    async def _said(self, question: Callable[[ApiClient], Awaitable[Any]]) -> Any:
        try:
            return await self._cluster.ask(question)
        except ClusterError as error:
            raise ReviewError(str(error)) from None


class _Kept(Generic[T]):
    """Answers of the last half minute; those who ask the same at the same time wait for one answer. Failures are not kept."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, tuple[float, asyncio.Future[T]]] = OrderedDict()

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        since, answer = self._answers.get(key, (0.0, None))
        if answer is None or time.monotonic() - since > KEPT_S or (answer.done() and answer.exception()):
            answer = asyncio.ensure_future(ask())
            self._answers[key] = time.monotonic(), answer
            self._answers.move_to_end(key)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return await asyncio.shield(answer)
