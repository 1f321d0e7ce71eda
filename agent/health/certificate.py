"""A certificate that nobody but one agent's self-probes ever sees, in memory only."""

import os
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFE = timedelta(days=3650)
EARLIER = timedelta(days=1)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chaperone self-probe")])


def throwaway() -> int:
    """The descriptor of a file in memory: a certificate that signs itself, then its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), x509.random_serial_number(), now - EARLIER, now + LIFE)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return in_memory(certificate + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def in_memory(content: bytes) -> int:
    """The descriptor of a file that is on no disk."""
    descriptor = os.memfd_create("chaperone", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    return descriptor
