"""A container's session is cut: what begins from then on belongs to the next one, what is open stays whole in the one it began in.

So a watch or an exec is one stream of one session, however long it takes, and is replayed as it was. A session that was cut ends
when the last of its streams and connections has. Living processes are told again, as processes of the next session too.
"""

from collections.abc import Iterable

from chaperone.agent.recording import Cut, Recording
from chaperone.agent.workload.processes import now_ns
from chaperone.agent.workload.sessions import Session
from chaperone.proto.records import Note, SessionEnded

SUBJECT = "session"


def cut(recording: Recording, numbers: Iterable[int], before: Session, after: Session, why: str) -> None:
    """`after` takes what begins, in all that `before` was told to do."""
    time = after.started.time
    recording.apiservers[after.id] = recording.apiservers[before.id]
    if before.id in recording.whole:
        recording.whole.add(after.id)
    if before.id in recording.strict.groups:
        recording.strict.add(after.id, after.cgroup)
    for number in numbers:
        recording.sessions[number], recording.ids[number] = after, after.id
    recording.cut[before.id] = Cut(before, after.id, why)
    text = f"{why}: what begins from here on is in session {after.id}; what is open stays in this one"
    recording.put([Note(before.id, time, SUBJECT, text), *after.begin(), *recording.lineage.moved(before.id, after.id, time)])
    recording.outbox.flush()


def conclude(recording: Recording, session: Session, last: int, is_last: bool = False) -> bool:
    """End a session that was cut, if nothing of it is open or (`is_last`) can be. `last`: when it was so."""
    found = recording.cut.get(session.id)
    if found is None:
        return True
    if not is_last and (recording.streams.has_open(session.id) or recording.connections.has_open(session.id)):
        return False
    if is_last:
        recording.put(recording.connections.end(now_ns(), session.id))
    recording.put([SessionEnded(session.id, max(last, session.started.time), -1, found.why, found.goes_on)])
    recording.forget((), session, is_dropped=False)
    recording.outbox.flush()
    return True
