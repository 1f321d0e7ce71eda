"""What the apiserver is for a run: KUBECONFIG's servers, the in-cluster variables, `--apiserver`."""

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

SIZE_LIMIT = 16 << 20  # bytes of one kubeconfig
DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Servers:
    """host:port of each apiserver, and sentences about what could not be read."""

    addresses: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find(options: Iterable[str], environment: Mapping[str, str], home: str) -> Servers:
    """All apiservers that a run's user could mean."""
    addresses: list[str] = []
    notes: list[str] = []
    for file in _kubeconfigs(environment, home):
        found = read(file)
        addresses += found.addresses
        notes += found.notes
    named = [*options, *_in_cluster(environment)]
    addresses += [address for text in named if (address := normalised(text))]
    notes += [f"--apiserver {text} is no HOST:PORT" for text in options if normalised(text) is None]
    return Servers(tuple(dict.fromkeys(addresses)), tuple(notes))


def normalised(server: str) -> str | None:
    """A URL or HOST[:PORT] as host:port, lower case, IPv6 in brackets, with the scheme's port; None if it is neither."""
    url = server if "://" in server else f"https://{server}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not host or not port or " " in host:
        return None
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def read(file: Path) -> Servers:
    """The servers of one kubeconfig. What can't be read or parsed gives a note, which never quotes the file."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # reading a pipe would take it from CMD
            return Servers((), (f"{file} is not a regular file; its apiservers are not known beforehand",))
        with file.open("rb") as text:
            servers = list(_servers(yaml.load(text.read(SIZE_LIMIT), Loader=LOADER)))
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        return Servers((), (f"{file} could not be read as a kubeconfig ({type(error).__name__})",))
    return Servers(tuple(address for server in servers if (address := normalised(server))))


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # kubeconfigs of many clusters are large, and C reads them ten times faster


def _servers(document: object) -> Iterator[str]:
    clusters = document.get("clusters") if isinstance(document, dict) else None
    for entry in clusters if isinstance(clusters, list) else []:
        cluster = entry.get("cluster") if isinstance(entry, dict) else None
        server = cluster.get("server") if isinstance(cluster, dict) else None
        if isinstance(server, str):
            yield server


def _kubeconfigs(environment: Mapping[str, str], home: str) -> list[Path]:
    """$KUBECONFIG's files, else ~/.kube/config; missing ones are no error (client-go loader.go)."""
    named = environment.get("KUBECONFIG", "")
    files = [Path(name) for name in named.split(":") if name] or [Path(home) / ".kube/config"]
    return [file for file in files if _exists(file)]


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False


def _in_cluster(environment: Mapping[str, str]) -> list[str]:
    """client-go rest/config.go InClusterConfig."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host:
        return []
    return [f"[{host}]:{port or 443}" if ":" in host else f"{host}:{port or 443}"]
