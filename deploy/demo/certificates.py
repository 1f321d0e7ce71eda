"""Throw-away keys: a CA, a server certificate for this machine, a bearer token and the KUBECONFIG that uses them."""

import base64
import datetime
import ipaddress
import json
import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chaperone demo CA")])
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
NAMES = [x509.DNSName("localhost"), x509.DNSName("kubernetes"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
USER = "system:serviceaccount:default:ai-agent"


def make(directory: Path) -> None:
    """Write ca.crt, server.crt and server.key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _builder(ISSUER, ca_key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    server = _builder(SUBJECT, key).add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
    _write(directory / "ca.crt", ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    _write(directory / "server.crt", server.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    _write(directory / "server.key", _pem(key))


def kubeconfig(directory: Path, port: int) -> Path:
    """Write `kubeconfig` and `token`; return the former."""
    token = _token()
    _write(directory / "token", token.encode())
    authority = base64.b64encode((directory / "ca.crt").read_bytes()).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "demo", "cluster": cluster}],
        "users": [{"name": "ai-agent", "user": {"token": token}}],
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "ai-agent", "namespace": "default"}}],
        "current-context": "demo",
    }
    _write(directory / "kubeconfig", json.dumps(document, indent=1).encode())
    return directory / "kubeconfig"


def _builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ISSUER)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=7))
    )


def _token() -> str:
    """Shaped as a service account's JWT; the signature is random, nothing here checks it."""
    account = {"namespace": "default", "serviceaccount": {"name": "ai-agent", "uid": "0b4dbd1e-7c3f-4c0b-9a53-0d6a7f1f2a11"}}
    parts = [{"alg": "RS256", "kid": "demo"}, {"iss": "https://kubernetes.default.svc", "kubernetes.io": account, "sub": USER}]
    return ".".join([*(_base64url(json.dumps(part).encode()) for part in parts), _base64url(secrets.token_bytes(256))])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, data: bytes) -> None:
    """Readable by its owner only."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
