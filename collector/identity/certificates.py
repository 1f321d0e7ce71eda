"""X.509 certificates: an authority of our own, what it issues, and who a client's certificate names (RFC 5280).

Names and groups are where Kubernetes has them: common name and organizations.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chaperone.collector.identity.caller import Caller, Means

EARLIER = timedelta(minutes=5)  # clocks differ
AUTHORITY = "chaperone"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is for. `hosts`: names and addresses of a server; a client needs none."""

    name: str
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validity:
    """From when on, and how long."""

    begin: datetime
    life: timedelta


def caller_of(pem: bytes) -> Caller:
    """Whom a verified client certificate names. ValueError without a common name."""
    subject = x509.load_pem_x509_certificate(pem).subject
    names = [str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not names[0]:
        raise ValueError("a client certificate needs one common name")
    groups = frozenset(str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return Caller(names[0], groups, Means.CERTIFICATE)


def new_authority(validity: Validity) -> Pair:
    """A self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY)])
    usage = x509.KeyUsage(False, False, False, False, False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    builder = _begun(name, name, key.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).add_extension(usage, critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue(authority: Pair, subject: Subject, validity: Validity) -> Pair:
    """A certificate for a server (if it has hosts), a client (if it has none, or groups), or both, signed by the authority."""
    signer, parent = load_pem_private_key(authority.key, None), x509.load_pem_x509_certificate(authority.certificate)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is not an elliptic curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    serves, calls = bool(subject.hosts), bool(subject.groups) or not subject.hosts
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH] * serves + [ExtendedKeyUsageOID.CLIENT_AUTH] * calls
    builder = _begun(_name(subject), parent.subject, key.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if subject.hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_host, subject.hosts))), critical=False)
    return _pair(builder.sign(signer, hashes.SHA256()), key)


def remaining(certificate: bytes, now: datetime) -> timedelta:
    """How long a certificate is valid from `now` on; negative once it has expired."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after.replace(tzinfo=UTC) - now


def is_named(certificate: bytes, subject: Subject) -> bool:
    """Whether it names the subject and its groups."""
    found = caller_of(certificate)
    return (found.name, found.groups) == (subject.name, frozenset(subject.groups))


def is_for(certificate: bytes, hosts: Sequence[str]) -> bool:
    """Whether a server that is asked for by any of these names may show it."""
    try:
        names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not hosts
    return set(map(_host, hosts)) <= set(names)


def is_signed(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority's key has signed it."""
    child, parent = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(authority)
    key = parent.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or child.signature_hash_algorithm is None:
        return False
    try:
        key.verify(child.signature, child.tbs_certificate_bytes, ec.ECDSA(child.signature_hash_algorithm))
    except InvalidSignature:
        return False
    return True


def _name(subject: Subject) -> x509.Name:
    groups: Sequence[x509.NameAttribute] = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in subject.groups]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, subject.name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _begun(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, validity: Validity) -> x509.CertificateBuilder:
    begin, end = validity.begin - EARLIER, validity.begin + validity.life
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM), private)
