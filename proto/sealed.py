"""How a spool is sealed: by an agent that cannot read it again after its end, for the holder of the collectors' private key.

Each agent start has a key of its own (AES-256). It lies beside the frames only as
    ephemeral X25519 public key (32) | AES-256-GCM of the key under HKDF-SHA256(X25519 secret, salt = both public keys)
bound to the agent's id. A frame is AES-256-GCM of a serialized Batch; nonce and additional data are the batch's number and the
agent's id, so that no frame can stand in another's place. A number always has the same content: no nonce is used for two texts.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.message import DecodeError

from chaperone.proto.capture_pb2 import Batch

KEY_SIZE = 32
_INFO = b"chaperone spool key 1"
_ONCE = bytes(12)  # a nonce for a key that seals one text


class SealError(ValueError):
    """Not sealed to this key, or damaged."""


def public_of(private: X25519PrivateKey) -> bytes:
    """The public half, raw."""
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def seal_key(key: bytes, agent: str, public: bytes) -> bytes:
    """`key` for the holder of the private half of `public`. ValueError if that is no X25519 key."""
    ephemeral = X25519PrivateKey.generate()
    mine = public_of(ephemeral)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    return mine + AESGCM(_wrapping(shared, mine + public)).encrypt(_ONCE, key, agent.encode())


def open_key(sealed: bytes, agent: str, private: X25519PrivateKey) -> bytes:
    """What `seal_key` was given. SealError."""
    theirs, wrapped = sealed[:KEY_SIZE], sealed[KEY_SIZE:]
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(theirs))
        return AESGCM(_wrapping(shared, theirs + public_of(private))).decrypt(_ONCE, wrapped, agent.encode())
    except (InvalidTag, ValueError):
        raise SealError("sealed to another key, or damaged") from None


class Frames:
    """Seals and opens the batches of one agent."""

    def __init__(self, key: bytes, agent: str) -> None:
        self._cipher, self._agent = AESGCM(key), agent.encode()

    def seal(self, batch: Batch) -> bytes:
        """A frame."""
        return self._cipher.encrypt(_nonce(batch.number), batch.SerializeToString(), self._agent)

    def open(self, number: int, frame: bytes) -> Batch:
        """The batch of that number. SealError."""
        try:
            batch = Batch.FromString(self._cipher.decrypt(_nonce(number), frame, self._agent))
        except (InvalidTag, DecodeError, OverflowError):
            raise SealError(f"the frame of batch {number} is damaged or of another agent") from None
        if batch.number != number:
            raise SealError(f"the frame of batch {number} holds batch {batch.number}")
        return batch


def _wrapping(shared: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=salt, info=_INFO).derive(shared)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
