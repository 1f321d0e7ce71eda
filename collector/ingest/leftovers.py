"""Opens what dead agents left: frames as they lay on disk, sealed to our key (proto/sealed.py)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.proto import capture_pb2 as pb
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
        """The batch of a leftover; None if its frame is damaged. SealError if none of this agent's can be opened."""
        frames = self.frames(leftover)
        if leftover.HasField("last"):
            return leftover.last
        try:
            return frames.open(leftover.number, leftover.frame)
        except SealError:
            return None
