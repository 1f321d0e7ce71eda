"""What agents before us left in the spool because they died, or because no collector came: passed on as it lies there, then removed.

We can't read it. An agent is dead when its folder's lock can be taken; we hold that until the end, so that nobody else passes it on
meanwhile. At the end its open sessions are ended, with notes that say what is not known: of what it did after its last batch, of what
is damaged, and of what was given up. What this collector can't open stays for another, up to a limit; the oldest is given up first.
Nothing is dropped before a collector has stored that it was, and `news` says at once what is wrong.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from chaperone.agent.deliver.spool import own_folder
from chaperone.agent.deliver.start import Start, found_in
from chaperone.agent.settings import Ended
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import SessionId
from chaperone.proto.records import NO_SESSION, Note, Record, SessionEnded, pack

DIED, UNRECORDED = "the agent that recorded it died", "what followed was not recorded"
NO_KEY, NO_ROOM = "it had met no collector that could open it", "the spool has reached its limit"


@dataclass(slots=True)
class Leftovers:
    """All dead agents' folders below `root`. `known`: how sessions ended, where somebody knows."""

    root: Path
    limit: int
    known: Mapping[str, Ended] = field(default_factory=dict)
    starts: dict[str, Start] = field(default_factory=dict)
    ended: list[SessionId] = field(default_factory=list)  # of folders that were delivered
    _news: dict[str, bool] = field(default_factory=dict)  # sentences, and whether they were told
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def find(self) -> None:
        """Look for them; beyond the limit the oldest are given up. OSError."""
        folders = [path for path in own_folder(self.root).iterdir() if path.is_dir() and not path.name.startswith(".")]
        room = self.limit
        for start in sorted(self._looked_into(folders), key=lambda start: -start.died_ns - start.offset):
            size = start.size()
            room -= size
            if not size:
                start.give_back()
            elif start.given_up or not start.sealed_key or room < 0:
                self._give_up(start, NO_ROOM if start.sealed_key else NO_KEY)
            self.starts[start.agent] = start

    def news(self) -> list[str]:
        """What nobody was told yet."""
        with self._telling:
            found = [text for text, is_told in self._news.items() if not is_told]
            self._news.update(dict.fromkeys(found, True))
        return found

    def messages(self) -> Iterator[wire.Upward]:
        """Everything, for one conversation with a collector."""
        for start in list(self.starts.values()):
            start.refusal, start.is_told = "", False
            for frame in start.frames():
                if start.refusal:
                    break
                yield wire.Upward(leftover=start.leftover(number=frame.number, frame=frame.data))
            if not start.refusal:
                start.is_told = True
                yield wire.Upward(leftover=start.leftover(last=self._last(start)))

    def acknowledge(self, agent: str, number: int) -> None:
        """All up to this number is stored: with a number behind the last frame's, that its sessions are ended as well."""
        start = self.starts.get(agent)
        if start and start.is_told and number > start.highest:
            self.ended += start.sessions
            start.remove()
            del self.starts[agent]

    def refuse(self, agent: str, reason: str) -> None:
        """This collector can't open it: another may."""
        if start := self.starts.get(agent):
            start.refusal = reason
            self._say(f"the {start.size()} bytes that agent {agent} left wait in {start.folder}: {reason}")

    def refuse_all(self, reason: str) -> None:
        """This collector takes nothing of the kind."""
        for agent in list(self.starts):
            self.refuse(agent, reason)

    def under_way(self) -> bool:
        """Whether there is anything left that this collector may take."""
        return any(not start.refusal for start in list(self.starts.values()))

    def close(self) -> None:
        """Let others have what could not be delivered."""
        for start in self.starts.values():
            start.close()

    def _looked_into(self, folders: list[Path]) -> Iterator[Start]:
        for folder in folders:
            try:
                if (start := found_in(folder)) is not None:
                    yield start
            except OSError as error:
                self._say(f"what lies in {folder} can't be read and stays there: {error.strerror}")

    def _give_up(self, start: Start, why: str) -> None:
        try:
            start.give_up(why)
        except OSError as error:
            self._say(f"what lies in {start.folder} can't be removed: {error.strerror}")
        self._say(f"what agent {start.agent} left is given up: {start.given_up}")

    def _say(self, text: str) -> None:
        with self._telling:
            self._news.setdefault(text, False)

    def _last(self, start: Start) -> wire.Batch:
        """The end of its sessions, at the time of its last sign of life. Always the same, whoever says it how often."""
        data = pack(self._ending(start))
        frame = zstandard.ZstdCompressor(level=1).compress(data)
        return wire.Batch(wall_offset_ns=start.offset, records=frame, size=len(data))

    def _ending(self, start: Start) -> Iterator[Record]:
        """A session that it had ended itself needs only what is missing; whose that was, nobody knows. One of whom there is nothing did
        not end well, or its folder were not there: perhaps it found no room on disk."""
        if start.is_blank():
            text = f"agent {start.agent} died and left nothing in {self.root}: what it had not delivered is not known"
            yield Note(NO_SESSION, start.died_ns, "spool", text, complete=False)
        for session in start.sessions or (NO_SESSION,):
            ended = self.known.get(session, Ended())
            if session is not NO_SESSION:
                yield Note(session, start.died_ns, "agent", f"{ended.why or DIED}: {UNRECORDED}", complete=False)
            for text in start.damages():
                of = text if session is not NO_SESSION else f"of what agent {start.agent} left: {text}"
                yield Note(session, start.died_ns, "spool", of, complete=False)
            if session is not NO_SESSION:
                goes_on, why = start.cuts.get(session, (NO_SESSION, ""))
                yield SessionEnded(session, start.died_ns, ended.status, why, goes_on)
