"""Opens what dead agents left: frames as they lay on disk, sealed to our key (proto/sealed.py)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.proto import capture_pb2 as pb
from chaperone.proto.records import NO_SESSION, Note, Record, SessionEnded
from chaperone.proto.sealed import Frames, SealError, open_key, public_of

KNOWN_LIMIT = 64  # agents whose frames' keys are kept at hand


class Opener:
    """`private` is None where the collector has no key: nothing can be opened then."""

    def __init__(self, private: X25519PrivateKey | None = None) -> None:
        self._private = private
        self._known: dict[tuple[str, bytes], Frames] = {}

    @property
    def public(self) -> bytes:
        """What agents seal to."""
        return public_of(self._private) if self._private else b""

    def frames(self, leftover: pb.Leftover) -> Frames:
        """What opens this agent's frames. SealError if they are sealed to another key."""
        name = (leftover.agent, leftover.sealed_key)
        if name not in self._known:
            if self._private is None:
                raise SealError("this collector has no key")
            while len(self._known) >= KNOWN_LIMIT:
                del self._known[next(iter(self._known))]
            self._known[name] = Frames(open_key(leftover.sealed_key, leftover.agent, self._private), leftover.agent)
        return self._known[name]

    def batch(self, leftover: pb.Leftover) -> pb.Batch | None:
        """The batch of a leftover; None if its frame is damaged. SealError if none of this agent's can be opened. What was given up
        has a last word, and no key."""
        is_last = leftover.HasField("last")
        if is_last and not leftover.sealed_key:
            return leftover.last
        frames = self.frames(leftover)
        if is_last:
            return leftover.last
        try:
            return frames.open(leftover.number, leftover.frame)
        except SealError:
            return None


class Damages:
    """Frames that came whole and could not be opened, by agent: told at its end, in each session that ends with it."""

    def __init__(self) -> None:
        self._numbers: dict[str, set[int]] = {}

    def add(self, agent: str, number: int) -> None:
        """One more; perhaps the same once more."""
        if agent in self._numbers or len(self._numbers) < KNOWN_LIMIT:
            self._numbers.setdefault(agent, set()).add(number)

    def told(self, agent: str, last: list[Record]) -> list[Record]:
        """The records of its end, with what was damaged before each session's."""
        if not (numbers := self._numbers.get(agent)):
            return last
        text = f"{len(numbers)} batches of agent {agent} could not be opened"
        ends = [record for record in last if isinstance(record, SessionEnded)]
        notes = [Note(end.session, end.time, "spool", text, complete=False) for end in ends] or [
            Note(NO_SESSION, 0, "spool", text, complete=False)
        ]
        return [*notes, *last]
