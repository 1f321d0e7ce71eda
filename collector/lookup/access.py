"""Where the API is and who asks it: from a kubeconfig or, in a pod, from its service account.

Refused is what would weaken the answer (TLS without verification) or run a program (exec plugins). Keys are never written to disk: what
ssl wants as a file is an anonymous one in memory.
"""

import base64
import binascii
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

IN_CLUSTER = "in-cluster"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
REFUSED = {"exec": "an exec plugin", "auth-provider": "an auth provider", "username": "a password"}


class AccessError(Exception):
    """Access that can't be used: one sentence, without a secret."""


@dataclass(frozen=True, slots=True)
class Access:
    """`names`: how calls to this API name it (host:port). `token`: reads it anew, as it is replaced; "" for none."""

    host: str
    port: int
    names: frozenset[str]
    context: ssl.SSLContext = field(repr=False)
    token: Callable[[], str] = field(repr=False)

    @property
    def url(self) -> str:
        """Of the server."""
        return f"https://{_bracketed(self.host)}:{self.port}"


def access(where: str, environment: Mapping[str, str], account: Path = ACCOUNT) -> Access:
    """The access that is meant by `in-cluster` or a kubeconfig's path. AccessError when it can't be used."""
    try:
        return _in_cluster(environment, account) if where == IN_CLUSTER else _of_kubeconfig(Path(where))
    except (OSError, ssl.SSLError) as error:
        raise AccessError(f"{where}: {error.strerror or error}") from None


def own_namespace(account: Path = ACCOUNT) -> str:
    """Ours, in a pod; "" where this is none."""
    try:
        return (account / "namespace").read_text().strip()
    except OSError:
        return ""


def _in_cluster(environment: Mapping[str, str], account: Path) -> Access:
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdigit():
        raise AccessError("KUBERNETES_SERVICE_HOST is not set: this is no pod; name a kubeconfig")
    context = ssl.create_default_context(cafile=str(account / "ca.crt"))
    return Access(host, int(port), _names((host, *SERVICE), int(port)), context, lambda: (account / "token").read_text().strip())


def _of_kubeconfig(file: Path) -> Access:
    try:
        whole = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AccessError(f"{file}: expected YAML") from None
    chosen = _named(whole, "contexts", str(_mapping(whole).get("current-context", "")), "context", file)
    cluster = _named(whole, "clusters", str(chosen.get("cluster", "")), "cluster", file)
    user = _named(whole, "users", str(chosen.get("user", "")), "user", file)
    host, port = _server(str(cluster.get("server", "")), file)
    return Access(host, port, _names((host,), port), _context(cluster, user, file), _token(user, file))


def _server(url: str, file: Path) -> tuple[str, int]:
    """Its host and port."""
    try:
        server = urlsplit(url)
        if server.scheme == "https" and server.hostname and not server.path.strip("/"):
            return server.hostname, server.port or 443
    except ValueError:
        pass  # brackets without an end, or a port that is none
    raise AccessError(f"{file}: expected the server as https://HOST:PORT")


def _context(cluster: Mapping[str, Any], user: Mapping[str, Any], file: Path) -> ssl.SSLContext:
    for key in ("insecure-skip-tls-verify", "proxy-url", "tls-server-name"):
        if cluster.get(key):
            raise AccessError(f"{file}: {key} can't be used for look-ups")
    authority = _content(cluster, "certificate-authority", file)
    trusted = authority.decode("ascii", "backslashreplace")  # its comments may be in any language
    context = ssl.create_default_context(cadata=trusted or None)
    certificate, key_ = (_content(user, f"client-{what}", file) for what in ("certificate", "key"))
    if certificate and key_:
        with _in_memory(certificate) as first, _in_memory(key_) as second:
            context.load_cert_chain(first, second)
    return context


def _token(user: Mapping[str, Any], file: Path) -> Callable[[], str]:
    for key, what in REFUSED.items():
        if user.get(key):
            raise AccessError(f"{file}: {what} can't be used for look-ups; name a user with a token or a certificate")
    if path := user.get("tokenFile"):
        return lambda: (file.parent / str(path)).read_text().strip()
    return lambda: str(user.get("token") or "")


def _content(of: Mapping[str, Any], key: str, file: Path) -> bytes:
    """Of a file that is named, or in base64."""
    if data := of.get(f"{key}-data"):
        try:
            return base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError):
            raise AccessError(f"{file}: expected {key}-data in base64") from None
    return (file.parent / str(of[key])).read_bytes() if of.get(key) else b""


@contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    descriptor = os.memfd_create("chaperone")
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _named(whole: Any, several: str, name: str, one: str, file: Path) -> Mapping[str, Any]:
    entries = _mapping(whole).get(several)
    for entry in entries if isinstance(entries, list) else []:
        if _mapping(entry).get("name") == name:
            return _mapping(_mapping(entry).get(one))
    raise AccessError(f"{file}: expected a {one} called {name[:40]!r} among {several}")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(hosts: tuple[str, ...], port: int) -> frozenset[str]:
    """As an authority has them: a port of 443 may be left out."""
    whole = {f"{_bracketed(host)}:{port}".lower() for host in hosts}
    return frozenset(whole | ({_bracketed(host).lower() for host in hosts} if port == 443 else set()))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
