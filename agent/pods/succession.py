"""A container's session is cut: what begins from then on belongs to the next one, what is open stays whole in the one it began in.

So a watch or an exec is one stream of one session, however long it takes, and is replayed as it was. A session that was cut ends
when the last of its streams and connections has. Living processes are told again, as processes of the next session too.
"""

from collections.abc import Iterable
from pathlib import Path

from chaperone.agent.recording import Cut, Recording
from chaperone.agent.workload.processes import now_ns
from chaperone.agent.workload.sessions import Session
from chaperone.proto.records import Note

SUBJECT = "session"


def cut(recording: Recording, numbers: Iterable[int], before: Session, after: Session, why: str) -> None:
    """`after` takes what begins, in all that `before` was told to do."""
    time = after.started.time
    recording.apiservers[after.id] = recording.apiservers[before.id]
    if before.id in recording.whole:
        recording.whole.add(after.id)
    if before.id in recording.strict.groups:
        recording.strict.add(after.id, after.cgroup)
    recording.note_missing(before.id, (text for number in numbers for text in recording.shortcomings.news(number)))
    recording.shortcomings.begin(after.id)
    for number in numbers:
        recording.sessions[number], recording.ids[number] = after, after.id
    recording.cut[before.id] = Cut(before, after.id, why)
    text = f"{why}: what begins from here on is in session {after.id}; what is open stays in this one"
    recording.put([Note(before.id, time, SUBJECT, text), *after.begin(), *recording.lineage.moved(before.id, after.id, time)])
    recording.outbox.flush()
    recording.outbox.cut(before.id, after.id, why)  # behind the beginning of the other: what names it must not outlive it


def conclude(recording: Recording, cgroup: Path, last: int, is_last: bool = False) -> None:
    """End each session of a cgroup that was cut, if nothing of it is open or (`is_last`) can be. `last`: when it was so."""
    for one in [one for one in recording.cut.values() if one.session.cgroup == cgroup]:
        id_ = one.session.id
        if is_last:
            recording.put(recording.connections.end(now_ns(), id_))
        elif recording.streams.has_open(id_) or recording.connections.has_open(id_):
            continue
        recording.note_missing(id_, recording.shortcomings.last((), id_))
        recording.put([one.end(last)])
        recording.forget((), one.session, is_dropped=False)
        recording.outbox.flush()
