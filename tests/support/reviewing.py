"""An API server that only reviews: which tokens there are, and who may what."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.api_double import Answer, ApiDouble, api_double

ALICE = "alice-token"


@dataclass(slots=True)
class Reviewing:
    """`allowed`: (user, verb, resource, namespace). `asked`: the bodies of all reviews. `status`: of every answer."""

    tokens: dict[str, dict[str, Any]] = field(default_factory=lambda: {ALICE: {"username": "alice", "groups": ["dev"]}})
    allowed: set[tuple[str, str, str, str]] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    status: int = 201

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if self.status != 201:
            return self.status, {"kind": "Status"}
        self.asked.append(body)
        return 201, body | {"status": self._token(body["spec"]) if path.endswith("/tokenreviews") else self._access(body["spec"])}

    def _token(self, spec: dict[str, Any]) -> dict[str, Any]:
        user = self.tokens.get(spec["token"])
        return {"authenticated": True, "user": user} if user else {"authenticated": False, "error": "unknown"}

    def _access(self, spec: dict[str, Any]) -> dict[str, Any]:
        wanted = spec["resourceAttributes"]
        assert wanted["group"] == "chaperone.dev"
        return {"allowed": (spec["user"], wanted["verb"], wanted["resource"], wanted["namespace"]) in self.allowed}


@contextmanager
def reviewing(folder: Path) -> Iterator[tuple[Reviewing, ApiDouble]]:
    """One that serves."""
    state = Reviewing()
    with api_double(folder, state.answer) as server:
        yield state, server
