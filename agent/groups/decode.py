"""Raw ring records about cgroups → values. Knows nothing but the bytes it is given."""

import os
from collections.abc import Callable

from chaperone.agent.groups.layout import GroupKind, MadeRecord, SeenRecord
from chaperone.agent.groups.values import GroupEntered, GroupGone, GroupMade, GroupValue


def _made(record: bytes) -> GroupMade:
    raw = MadeRecord.from_buffer_copy(record)
    path = os.fsdecode(bytes(raw.path).split(b"\0", 1)[0])
    return GroupMade(raw.seen.id, path, raw.seen.head.time)


def _entered(record: bytes) -> GroupEntered:
    raw = SeenRecord.from_buffer_copy(record)
    return GroupEntered(raw.id, raw.head.workload, raw.head.time)


def _gone(record: bytes) -> GroupGone:
    raw = SeenRecord.from_buffer_copy(record)
    return GroupGone(raw.id, raw.head.workload, raw.head.time)


DECODERS: dict[int, Callable[[bytes], GroupValue]] = {GroupKind.MADE: _made, GroupKind.ENTERED: _entered, GroupKind.GONE: _gone}
