"""Secrets written out in a policy: refused when it is loaded, since a policy's text is kept with the sessions it judges.

Refused is only what cannot be anything else: a key or token of a known form. What merely stands where a password might (`password=x` in
a condition) is masked in the text that is kept, not refused: it may be what the rule looks for.
"""

import string

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.masking import Masking
from chaperone.collector.mask.patterns import PATTERNS
from chaperone.collector.mask.text import Texts
from chaperone.collector.nodes import Place, PolicyError

CERTAIN = (
    "private-key", "private-key-base64", "jwt", "packed", "aws-key", "aws-eks", "github", "gitlab", "slack", "google", "stripe",
    "model-api", "registry", "vault", "azure", "password-hash",
)  # fmt: skip
HEAD = 40  # characters of a key behind its first line that must be base64
_BASE64 = frozenset(string.ascii_letters.encode() + string.digits.encode() + b"+/=\\ \r\n")
_NO_KEY = Fingerprint(b"")  # nothing is replaced, only looked for
_ALL = Texts(_NO_KEY)
_TEXTS = Texts(_NO_KEY, Masking(tuple(pattern for pattern in PATTERNS if pattern.name in CERTAIN), off=frozenset({"manifest"})))


def refuse_literals(place: Place) -> None:
    """PolicyError at the first text of a document that is or has a literal secret. It says what kind, never the value."""
    for scalar in place.scalars():
        if kind := literal_in(scalar.node.value):
            raise PolicyError(
                place.file, scalar.line, scalar.key, f"expected no literal secret in a policy, found what looks like one ({kind})"
            )


def without_secrets(error: PolicyError) -> PolicyError:
    """The same complaint, for people and logs: what it quotes may be a secret that stands where it must not."""
    return PolicyError(error.file, error.line, _blanked(error.key), _blanked(error.problem))


def _blanked(text: str) -> str:
    encoded, end, parts = text.encode("utf-8", "surrogatepass"), 0, list[bytes]()
    for start, stop in _ALL.spans(encoded):
        parts += [encoded[end:start], b"***"]
        end = stop
    return b"".join((*parts, encoded[end:])).decode("utf-8", "replace")


def literal_in(text: str) -> str:
    """The kind of the first literal secret in a text; "" for none."""
    encoded = text.encode("utf-8", "surrogatepass")
    return next((name for name, span in _TEXTS.named(encoded) if _is_written_out(name, encoded[slice(*span)])), "")


def _is_written_out(name: str, value: bytes) -> bool:
    """A rule may well look for how a private key begins."""
    return name != "private-key" or (len(value) >= HEAD and _BASE64.issuperset(value[:HEAD]))
