"""An API server that only keeps Secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.api_double import Answer, ApiDouble, api_double


@dataclass(slots=True)
class KeepingSecrets:
    """`secrets`: by path. `refuses`: the status of every answer instead, 0 for none."""

    secrets: dict[str, Any] = field(default_factory=dict)
    refuses: int = 0

    def answer(self, method: str, path: str, body: Any) -> Answer:
        if self.refuses:
            return self.refuses, {"kind": "Status"}
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            assert path not in self.secrets
        elif path not in self.secrets:
            return 404, {"kind": "Status"}
        if body:
            self.secrets[path] = body
        return 200, self.secrets[path]


@contextmanager
def keeping_secrets(folder: Path) -> Iterator[tuple[KeepingSecrets, ApiDouble]]:
    """One that serves."""
    state = KeepingSecrets()
    with api_double(folder, state.answer) as server:
        yield state, server
