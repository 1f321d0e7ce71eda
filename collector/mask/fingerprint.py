"""What stands in a secret's place: `~masked-15-3f2a9c01b2d4e6f8~`.

15 is the secret's size in bytes, the rest the first 8 bytes of HMAC-SHA256 under the installation's key: equal secrets
look equal, and none can be guessed without the key. The secret is taken out of its encoding first (base64 in a Secret's
`data`, escapes in a URL), so it looks the same in every encoding. Only characters that mean nothing in a URL (RFC 3986
§2.3), JSON, YAML or a header are used. Masking such a stand-in again leaves it as it is; so does a value that imitates one.

Once the key was changed, its number stands before the fingerprint, `~masked-15-2.3f2a9c01b2d4e6f8~`: only fingerprints of one
number can be compared.
"""

import hmac

import re2

STAND_IN = rb"~masked-[0-9]+-(?:[0-9]+\.)?[0-9a-f]{16}~"
_whole = re2.compile(STAND_IN)


def is_masked(value: bytes) -> bool:
    """Whether this is a stand-in and nothing else."""
    return value.startswith(b"~masked-") and _whole.fullmatch(value) is not None


class Fingerprint:
    """Secrets to stand-ins under one key."""

    def __init__(self, key: bytes, number: int = 1) -> None:
        self._key = key
        self._prefix = b"" if number == 1 else b"%d." % number

    def mask(self, secret: bytes) -> bytes:
        """The stand-in. An empty secret stays empty: there is nothing to hide."""
        if not secret or is_masked(secret):
            return secret
        digest = hmac.digest(self._key, secret, "sha256")
        return b"~masked-%d-%s%s~" % (len(secret), self._prefix, digest[:8].hex().encode())

    def mask_text(self, secret: str) -> str:
        """As `mask`, for text; the size is of its UTF-8."""
        return self.mask(secret.encode("utf-8", "surrogatepass")).decode("ascii", "replace") if secret else secret
