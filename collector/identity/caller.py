"""Who is at the other end of a call, and the rights there are."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

AGENTS = "chaperone:agents"  # the group (O) in the certificates of agents
COLLECTORS = "chaperone:collectors"  # of collectors that ask one another
ADMINS = "chaperone:admins"  # its members may everything, also where no API server is asked


class Means(StrEnum):
    """How somebody has shown who they are."""

    SOCKET = "socket"  # they may open the store's own socket: its owner, or root
    CERTIFICATE = "certificate"
    TOKEN = "token"


class Right(StrEnum):
    """What one may be allowed; with the API server's resource (of the group chaperone.dev) that it is a verb of."""

    VIEW = "view"
    REVEAL = "reveal"
    APPROVE = "approve"
    ADMIN = "admin"

    @property
    def resource(self) -> str:
        """The resource in a SubjectAccessReview."""
        return _RESOURCES[self]


_RESOURCES = {Right.VIEW: "sessions", Right.REVEAL: "sessions", Right.APPROVE: "approvals", Right.ADMIN: "policies"}


@dataclass(frozen=True, slots=True)
class Caller:
    """A name and groups as Kubernetes knows them; the owner of the socket has neither."""

    name: str = ""
    groups: frozenset[str] = frozenset()
    means: Means = Means.SOCKET

    @property
    def is_agent(self) -> bool:
        """An agent, by its certificate: a token's groups are the cluster's business, not ours."""
        return self.means is Means.CERTIFICATE and AGENTS in self.groups

    @property
    def is_collector(self) -> bool:
        """Another collector of this installation, by its certificate; what it says of people is believed."""
        return self.means is Means.CERTIFICATE and COLLECTORS in self.groups

    @property
    def is_owner(self) -> bool:
        """Whoever may open the store's files anyway."""
        return self.means is Means.SOCKET

    @property
    def is_admin(self) -> bool:
        """May do everything, whatever an API server says."""
        return self.is_owner or (self.means is Means.CERTIFICATE and ADMINS in self.groups)


class Reviews(Protocol):
    """Who knows identities and rights."""

    async def who(self, token: str) -> Caller | None:
        """Whose token it is; None if nobody's."""
        ...

    async def may(self, caller: Caller, right: Right, namespace: str) -> bool:
        """`namespace` "": in all of them."""
        ...


OWNER = Caller()
CALLER: ContextVar[Caller] = ContextVar("caller", default=OWNER)  # of the call that is being served
