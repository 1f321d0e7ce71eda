"""What governed workloads made (rules/heirs.py), as it is stored, and taken up again by a restarted collector."""

import json
from typing import Any

from chaperone.collector.rules.heirs import LIMIT, Heir
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.facts import BEGUN
from chaperone.collector.store.rows import Kind, Row


def heir_row(heir: Heir, call: Row) -> Row:
    """By the call that made it: {id, namespace, owner, session, mode, policies}."""
    return Row(Kind.HEIR, "", heir.id, BEGUN, call.time, call.time, heir.document(), call=call.id)


def heirs(engine: Engine) -> list[dict[str, Any]]:
    """The newest of all, oldest first."""
    newest = "SELECT document, time, id FROM records WHERE kind = 'heir' ORDER BY id, position DESC LIMIT 1 BY id"
    rows = engine.rows(f"SELECT document FROM ({newest}) ORDER BY time DESC, id LIMIT {{limit:UInt64}}", {"limit": LIMIT})
    return [json.loads(row["document"]) for row in rows][::-1]
