"""That somebody asked for a recording."""

from dataclasses import dataclass, field
from typing import Any

from chaperone.collector.identity.caller import Caller


@dataclass(frozen=True, slots=True)
class Access:
    """A question and who asked it. `session`: the recording that it is about, "" for no single one. `time`: wall-clock ns."""

    id: str
    time: int
    caller: Caller
    question: str
    parameters: dict[str, Any] = field(repr=False)
    session: str
    is_allowed: bool
