"""Where things are and how big they may get: the environment and options → frozen values."""

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

from chaperone.proto.log import PLAIN, Log

SYSTEM_STORE = Path("/var/lib/chaperone")


def version() -> str:
    """Of the installed distribution."""
    return importlib.metadata.version("kube-chaperone")


def store_directory(option: Path | None, environment: "os._Environ[str] | dict[str, str]", uid: int) -> Path:
    """`--store`, else $CHAPERONE_STORE, else /var/lib/chaperone as root, else XDG state of the user."""
    if option is not None:
        return option
    if named := environment.get("CHAPERONE_STORE"):
        return Path(named)
    if uid == 0:
        return SYSTEM_STORE
    state = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME", "/")) / ".local/state")
    return Path(state) / "chaperone"


@dataclass(frozen=True, slots=True)
class Listening:
    """Besides the store's socket: host:port for clients with certificates and for clients with tokens, "" for none.

    `tls`: a directory with tls.crt, tls.key and ca.crt. `reviews`: the kubeconfig of the API server that knows tokens and rights,
    "in-cluster" for the pod's own account, "" for none. `metrics`: host:port for Prometheus, "" for none.
    """

    tls: Path = Path()
    certified: str = ""
    by_token: str = ""
    reviews: str = ""
    metrics: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """What several collectors have in common. `url`: of a ClickHouse database, "" for one of its own in the store's directory; `login`:
    a directory with the files of its credentials; `keys`: one with the installation's keys, None: they are in the store's directory.
    `collectors`: HOST:PORT of each, `own`: which of them we are; none where they don't ask one another."""

    url: str = ""
    login: Path | None = None
    keys: Path | None = None
    collectors: tuple[str, ...] = ()
    own: str = ""


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """How a collector runs. `idle_s`: exit after so long without a client, None never; `ready_fd`: gets one line once it serves."""

    store: Path
    policies: tuple[Path, ...] = ()  # files and directories; they are read again when they change
    default_policy: bool = True  # the pack that comes with Chaperone
    idle_s: float | None = None
    first_s: float = 0.0  # so much longer may the first client take to come
    ready_fd: int | None = None
    flush_delay_s: float = 0.2  # a batch waits this long for others before it is written and acked
    flush_rows: int = 1_000  # or until so many rows wait
    retry_s: float = 1.0  # after a write that failed
    batch_limit: int = 128 << 20  # bytes of records in one batch, inflated; a TLS call may carry 64 MiB
    alerts: Path | None = None  # who is told of alerts; None: as the file says that was given last
    batches_under_way: int = 1_024  # of one agent, taken but not yet acked; each held call is one
    bytes_under_way: int = 32 << 20  # of their frames
    mask: Path | None = None  # a masking file that the store is to remember
    listening: Listening = Listening()
    startup: str = ""  # the API whose nodes have a startup taint that we lift; "" for none
    shared: Shared = Shared()
    lookup: str = ""  # the API to ask about pods: in-cluster, or a kubeconfig; "" for none
    own_namespace: str = ""  # Chaperone's, in a cluster; "" elsewhere
    policy_objects: str = ""  # the API whose policies.chaperone.dev are policies, too; "" for none
    log: Log = PLAIN
