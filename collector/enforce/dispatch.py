"""Which message a receiver gets next, and what becomes of it: one is under way at a time, with the same id at each try."""

import json
from dataclasses import dataclass
from typing import Any

from chaperone.collector.enforce.message import LISTED, Entry, Kind, Message, message_id
from chaperone.collector.enforce.outbox import AGAIN_CAP_NS, GIVE_UP_NS, Outbox
from chaperone.collector.enforce.outcome import Fate, Outcome

REFUSALS = 3  # then a receiver won't have this message
FAR_NS = 2 * AGAIN_CAP_NS  # nothing is put off so long: the clock was set back
FOLDED = 2_000  # alerts in one digest
_DUE = (
    "SELECT n, id, told, count FROM deliveries JOIN alerts USING (n)"
    " WHERE receiver = :receiver AND state = 'waiting' AND (due_ns <= :now OR due_ns > :now + :far) ORDER BY severity DESC, n LIMIT :limit"
)
_ENTRIES = (
    "SELECT document, last, told, telling FROM deliveries JOIN alerts USING (n)"
    " WHERE receiver = :receiver AND message = :message ORDER BY severity DESC, n"
)


@dataclass(frozen=True, slots=True)
class Under:
    """A message under way: how often it was tried before."""

    message: Message
    attempts: int


def next_message(outbox: Outbox, receiver: str, room: int | None, now: int) -> Under | None:
    """The message under way if it is time for it, else a new one if there is `room` (for so many; None: any number)."""
    is_under_way = outbox.rows("SELECT id FROM messages WHERE receiver = :receiver", {"receiver": receiver})
    if not is_under_way and (room == 0 or not _begin(outbox, receiver, room, now)):
        return None
    due = "SELECT * FROM messages WHERE receiver = :receiver AND (due_ns <= :now OR due_ns > :now + :far)"
    found = outbox.rows(due, {"receiver": receiver, "now": now, "far": FAR_NS})
    return Under(_message(outbox, found[0]), found[0]["attempts"]) if found else None


def next_due(outbox: Outbox, receiver: str) -> int | None:
    """When there will be something to send."""
    under_way = outbox.rows("SELECT due_ns AS due FROM messages WHERE receiver = :receiver", {"receiver": receiver})
    waiting = "SELECT min(due_ns) AS due FROM deliveries WHERE receiver = :receiver AND state = 'waiting'"
    found = (under_way or outbox.rows(waiting, {"receiver": receiver}))[0]["due"]
    return None if found is None else int(found)


def settle(outbox: Outbox, receiver: str, outcome: Outcome, due_ns: int, now: int) -> bool:
    """What came of trying the message under way; is that the end of it? If not it is tried again at `due_ns`."""
    with outbox.change() as base:
        found = outbox.rows("SELECT * FROM messages WHERE receiver = :receiver", {"receiver": receiver})
        if not found:
            return True  # the outbox was renewed meanwhile
        under = found[0]
        over = outcome.fate is Fate.SENT or _is_hopeless(under, outcome, now)
        base.execute("UPDATE deliveries SET why = ? WHERE receiver = ? AND message = ?", (outcome.why, receiver, under["id"]))
        if over:
            _finish(outbox, under, outcome.fate is Fate.SENT, now)
        else:
            base.execute("UPDATE messages SET attempts = attempts + 1, due_ns = ? WHERE receiver = ?", (due_ns, receiver))
        touched = "UPDATE alerts SET changed = ? WHERE n IN (SELECT n FROM deliveries WHERE receiver = ? AND message = ?)"
        base.execute(touched, (outbox.changed(), receiver, under["id"]))
        if over:
            base.execute("UPDATE deliveries SET message = '' WHERE receiver = ? AND message = ?", (receiver, under["id"]))
    return over


def hasten(outbox: Outbox, now: int) -> None:
    """What waits only so as not to tell too often is told now: nobody may be here later."""
    with outbox.change() as base:
        base.execute("UPDATE deliveries SET due_ns = ? WHERE state = 'waiting' AND due_ns > ?", (now, now))


def _is_hopeless(under: dict[str, Any], outcome: Outcome, now: int) -> bool:
    refused = outcome.fate is Fate.REFUSED and under["attempts"] + 1 >= REFUSALS
    return refused or now - int(under["made_ns"]) > GIVE_UP_NS


def _finish(outbox: Outbox, under: dict[str, Any], sent: bool, now: int) -> None:
    """Told, and to be told again if more came meanwhile; or failed for good."""
    unacked = "SELECT count FROM alerts WHERE alerts.n = deliveries.n AND acked_ns IS NULL"
    state = f"CASE WHEN telling < ({unacked}) THEN 'waiting' ELSE 'told' END" if sent else "'failed'"
    again = "CASE WHEN told > 0 THEN min(again_ns * 2, :cap) ELSE again_ns END"
    statement = (
        f"UPDATE deliveries SET state = {state}, told = {'telling' if sent else 'told'}, again_ns = {again}, due_ns = :now + {again},"
        " since_ns = :now WHERE receiver = :receiver AND message = :id"
    )
    parameters = {"cap": AGAIN_CAP_NS, "now": now, "receiver": under["receiver"], "id": under["id"]}
    outbox.run(statement, parameters)
    outbox.run("DELETE FROM messages WHERE receiver = :receiver", {"receiver": under["receiver"]})
    if sent:
        told = "UPDATE dropped SET count = count - :dropped WHERE receiver = :receiver"
        outbox.run(told, {"dropped": under["dropped"], "receiver": under["receiver"]})


def _begin(outbox: Outbox, receiver: str, room: int | None, now: int) -> bool:
    """Put a message under way: of the worst alert, or of all that are due when there is room for one only."""
    with outbox.change() as base:
        due = outbox.rows(_DUE, {"receiver": receiver, "now": now, "limit": FOLDED if room == 1 else 1, "far": FAR_NS})
        if not due:
            return False
        id_ = message_id([(row["id"], row["told"]) for row in due])
        kind = Kind.DIGEST if len(due) > 1 else Kind.MORE if due[0]["told"] else Kind.FIRST
        numbers = [(row["count"], id_, row["n"], receiver) for row in due]
        base.executemany("UPDATE deliveries SET state = 'sending', telling = ?, message = ? WHERE n = ? AND receiver = ?", numbers)
        lost = outbox.rows("SELECT count FROM dropped WHERE receiver = :receiver", {"receiver": receiver})
        row = (receiver, id_, str(kind), now, now, lost[0]["count"] if lost else 0)
        base.execute("INSERT INTO messages VALUES (?, ?, ?, ?, 0, ?, ?)", row)
    return True


def _message(outbox: Outbox, under: dict[str, Any]) -> Message:
    rows = outbox.rows(_ENTRIES, {"receiver": under["receiver"], "message": under["id"]})
    entries = tuple(Entry(json.loads(row["document"]), row["telling"], row["told"], json.loads(row["last"])) for row in rows[:LISTED])
    return Message(under["id"], Kind(under["kind"]), entries, len(rows) - len(entries), under["dropped"])
