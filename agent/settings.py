"""What the agent is told: options → frozen values. It decides nothing that is not written here."""

import argparse
import base64
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from chaperone.agent.cluster.source import ACCOUNT
from chaperone.agent.deliver.drops import Drops, drops_of
from chaperone.proto import glass
from chaperone.proto.log import PLAIN, Log, add_options, log_of
from chaperone.proto.sealed import KEY_SIZE

DEFAULT_SOCKET = Path("/var/lib/chaperone/collector.sock")
DEFAULT_SPOOL = Path("/var/lib/chaperone/spool")
MEMORY_MIB = 64
SPOOL_MIB = 1024
CPU_LEAST = 10  # percent: a piece of work and the longest rest behind it
STRICT_LIMIT_S = 600.0
SELF_PROBE_S = 60.0
RECORD = ("strict", "best_effort")
DROPS = "CHAPERONE_SIMULATE_DROPS"
SOCKET_PATH_LIMIT = 107  # sun_path without its NUL, unix(7)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the launcher knows about a run. Without it each cgroup is a workload by its path, from now on."""

    workload: str = ""
    user: str = ""
    cwd: str = ""
    argv: tuple[str, ...] = ()
    apiservers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    mode: str = ""  # "enforce": what its processes send is held until ordered
    on_failure: str = ""  # "allow" or "deny": what becomes of a held call that nobody decides
    verdict_timeout_s: str = ""  # after so many seconds
    hold_limit_s: str = ""  # or after so many where somebody is asked
    uncovered: str = ""  # "deny": TLS that no probe tells of does not leave
    pid: str = ""  # CMD's process, traced before it begins
    scan: str = ""  # "on": what goes to others than the API server is recorded too
    record: str = ""  # "strict": held or ended rather than not recorded


@dataclass(frozen=True, slots=True)
class Storage:
    """Where unconfirmed batches wait. `key`: the collectors' public key; empty: the one that they welcome us with."""

    spool: Path = DEFAULT_SPOOL
    limit: int = SPOOL_MIB << 20
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class PodSettings:
    """`--pods`. `api`: host and port of the API server; `account`: folder with `token` and `ca.crt`; `root`: where to look for the
    kubelet's cgroups; `own`: Chaperone's namespace; `servers`: further addresses of the API server, host:port."""

    api: tuple[str, int]
    account: Path = ACCOUNT
    root: Path | None = None
    own: str = ""
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Descriptors are -1 where nobody listens. `memory`: bytes of unconfirmed records kept where the spool can't take them."""

    cgroups: tuple[Path, ...]
    attach: tuple[Path, ...]
    target: str
    session: SessionOptions
    control_fd: int = -1
    ready_fd: int = -1
    memory: int = MEMORY_MIB << 20
    node: str = ""
    storage: Storage = Storage()
    drops: Drops | None = None
    tls: Path | None = None
    strict_limit_s: float = STRICT_LIMIT_S  # so long at most is a workload held that is recorded strictly
    pods: PodSettings | None = None
    cpu: int = 0  # percent of one processor; 0: no limit
    health: tuple[str, int] | None = None  # where whoever asks is told how we are
    self_probe_s: float = SELF_PROBE_S
    glass: Path = glass.FILE  # while it says so, nothing is enforced
    allows_edits: bool = False  # the collector may have bytes of its own written and read
    log: Log = PLAIN


@dataclass(frozen=True, slots=True)
class Ended:
    """How a session of a dead agent ended: a status as a shell shows it, -1 if unknown, and why its recording ended before."""

    status: int = -1
    why: str = ""


@dataclass(frozen=True, slots=True)
class Deliver:
    """`--deliver`: pass on what dead agents left, then end. `ended`: sessions of whose end somebody knows."""

    target: str
    storage: Storage
    ended: Mapping[str, Ended]
    tls: Path | None = None
    log: Log = PLAIN


@dataclass(frozen=True, slots=True)
class Check:
    """`--check`: say what is missing and end."""

    output: str = "table"
    log: Log = PLAIN


@dataclass(frozen=True, slots=True)
class CleanUp:
    """`--clean-up`: take off what agents left in the kernel, then end. `cgroups`: where; empty: everywhere."""

    cgroups: tuple[Path, ...] = ()
    log: Log = PLAIN


def parse(arguments: Sequence[str] | None = None) -> Settings | Check | Deliver | CleanUp:
    """The command line as values; usage errors end the process with status 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    log = log_of(options)
    if options.check:
        return Check(options.output, log)
    if options.clean_up:
        return CleanUp(tuple(options.cgroup), log)
    if options.target and not options.target.startswith("unix:") and not options.tls:
        parser.error("--target needs --tls: nothing is said on TCP without certificates")
    target = options.target or _target(options.socket)
    storage = Storage(options.spool, options.spool_limit << 20, options.collector_key)
    if options.health and not options.tls:
        parser.error("--health needs --tls: nothing is said on TCP without certificates")
    if options.deliver:
        return Deliver(target, storage, dict(options.ended), options.tls, log)
    if not options.cgroup and not options.pods:
        parser.error("name at least one --cgroup, or --pods")
    if options.pods and not options.api[0]:
        parser.error("--pods needs --api HOST:PORT where KUBERNETES_SERVICE_HOST does not name the API server")
    return Settings(
        tuple(options.cgroup),
        tuple(options.attach),
        target,
        replace(options.session, record=options.record or options.session.record),
        options.control_fd,
        options.ready_fd,
        options.memory << 20,
        options.node,
        storage,
        options.simulate_drops,
        options.tls,
        options.strict_limit,
        _pods(options) if options.pods else None,
        options.cpu,
        options.health,
        options.self_probe,
        options.break_glass,
        options.allow_edits,
        log,
    )


def _target(socket: Path) -> str:
    """The gRPC target of a socket; too long a path goes through a descriptor of its folder, open as long as we live."""
    if len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT:
        return f"unix:{socket}"
    return f"unix:/proc/self/fd/{os.open(socket.parent, os.O_PATH | os.O_CLOEXEC)}/{socket.name}"


def _pods(options: argparse.Namespace) -> PodSettings:
    own = options.own_namespace or _text(options.service_account / "namespace")
    return PodSettings(options.api, options.service_account, options.cgroup_root, own, tuple(options.apiserver))


def _text(file: Path) -> str:
    """Of a small file; "" where there is none."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _api(text: str) -> tuple[str, int]:
    """HOST:PORT, IPv6 in brackets."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _in_cluster() -> tuple[str, int]:
    """Where a pod finds the API server; "" where this is none."""
    return os.environ.get("KUBERNETES_SERVICE_HOST", ""), int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))


def _session(file: str) -> SessionOptions:
    """What a JSON object says about the run. A command line would not do: it may hold anything, `--` and 2 MiB included."""
    try:
        with open(0 if file == "-" else file, encoding="utf-8", closefd=file != "-") as text:
            told = json.load(text)
        values: dict[str, Any] = {name: _value(name, value) for name, value in told.items()}
        return SessionOptions(**values)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{file} does not describe a session ({type(error).__name__})") from None


def _value(name: str, value: object) -> str | tuple[str, ...]:
    """A text or a list of texts, as the field wants it."""
    if name in TEXTS and isinstance(value, str):
        return value
    if name in LISTS and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError(name)


def _key(file: str) -> bytes:
    """A public key as the collector writes it: 32 bytes in base64."""
    try:
        key = base64.b64decode(Path(file).read_bytes().strip(), validate=True)
    except (OSError, ValueError):
        key = b""
    if len(key) != KEY_SIZE:
        raise argparse.ArgumentTypeError(f"{file} is no collector's public key; it is in the store, as spool.pub")
    return key


def _cpu(text: str) -> int:
    if not text.isdecimal() or int(text) < CPU_LEAST:
        raise argparse.ArgumentTypeError(f"{text} is no whole percentage from {CPU_LEAST} on")
    return int(text)


def _ended(text: str) -> tuple[str, Ended]:
    session, _, rest = text.partition("=")
    status, _, why = rest.partition(":")
    return session, Ended(int(status), why)


TEXTS = frozenset(field.name for field in fields(SessionOptions) if field.default == "")
LISTS = frozenset(field.name for field in fields(SessionOptions)) - TEXTS


def _parser() -> argparse.ArgumentParser:
    description = "Record what governed processes say over TLS."
    parser = argparse.ArgumentParser("python -m chaperone.agent", description=description, allow_abbrev=False)
    add = parser.add_argument
    add("--check", action="store_true", help="list what this machine lacks, then end")
    add("-o", "--output", choices=("table", "json"), default="table", help="form of --check")
    add("--clean-up", action="store_true", help="unlock workloads (all, or those of --cgroup) whose agent is gone for good, then end")
    add("--cgroup", type=Path, action="append", default=[], help="govern this cgroup and all below (any number)")
    add("--pods", action="store_true", help="govern the containers of this node's selected pods, as they come and go")
    add("--api", type=_api, default=_in_cluster(), metavar="HOST:PORT", help="with --pods: the API server [default: as a pod finds it]")
    add("--service-account", type=Path, default=ACCOUNT, metavar="DIR", help="with --pods: its token and ca.crt, read again and again")
    add("--cgroup-root", type=Path, metavar="DIR", help="with --pods: look for the kubelet's cgroups below [default: everywhere]")
    add("--own-namespace", default="", metavar="NAME", help="with --pods: Chaperone's, never governed [default: the account's]")
    add("--apiserver", action="append", default=[], metavar="HOST:PORT", help="with --pods: is one too (any number)")
    add("--attach", type=Path, action="append", default=[], help="probe this file from the start (any number)")
    add("--socket", type=Path, default=DEFAULT_SOCKET, help="the collector's Unix socket")
    add("--target", default="", help="the collector as a gRPC target, or several with commas between, instead of --socket")
    add("--tls", type=Path, metavar="DIR", help="tls.crt, tls.key and ca.crt, for a --target on TCP; read again at each connection")
    add("--memory", type=int, default=MEMORY_MIB, metavar="MIB", help="of records kept where the spool can't take them")
    add("--spool", type=Path, default=DEFAULT_SPOOL, metavar="DIR", help="where unconfirmed records wait, sealed")
    add("--spool-limit", type=int, default=SPOOL_MIB, metavar="MIB", help="the most that may wait there")
    add("--collector-key", type=_key, default=b"", metavar="FILE", help="seal the spool to this key [default: the collector's own]")
    simulated = "drop each Nth chunk, or a share of them at random (0.05:SEED), and state it: to try what a gap does"
    add("--simulate-drops", type=drops_of, default=os.environ.get(DROPS, ""), metavar="N|SHARE", help=f"{simulated} [${DROPS}]")
    strictly = "strict: hold the workload, then end it, rather than leave unrecorded what it does [default: as --session says]"
    add("--record", choices=RECORD, default="", help=strictly)
    add("--strict-limit", type=float, default=STRICT_LIMIT_S, metavar="SECONDS", help="the longest that it is held")
    add("--cpu", type=_cpu, default=0, metavar="PERCENT", help="of one processor, the most that we take of it; at least 10 [default: all]")
    add("--health", type=_api, metavar="[HOST]:PORT", help="answer /healthz, /readyz and /metrics here, from self-probes (needs --tls)")
    add("--self-probe", type=float, default=SELF_PROBE_S, metavar="SECONDS", help="with --health: from one self-probe to the next")
    broken = f"while this file says so, nothing is enforced [default: ${glass.PLACE}, else {glass.FILE}]"
    add("--break-glass", type=Path, default=glass.place(), metavar="FILE", help=broken)
    edits = "let a collector have bytes of its own written and read by who is held [default: only refusals made here, and stars]"
    add("--allow-edits", action="store_true", help=edits)
    add("--deliver", action="store_true", help="deliver what dead agents left in the spool, then end")
    add("--ended", type=_ended, action="append", default=[], metavar="SESSION=STATUS:WHY", help="with --deliver: how a session ended")
    add("--node", default=platform.node(), help="name of this node")
    add_options(parser)
    add("--control-fd", type=int, default=-1, help='end when this is closed; may say {"status": N, "left": N} before')
    add("--ready-fd", type=int, default=-1, help="write one JSON line here when the probes are in place, or why not")
    about = f"JSON file about a run, - for stdin: texts {', '.join(sorted(TEXTS))}; lists of texts {', '.join(sorted(LISTS))}"
    add("--session", type=_session, default=SessionOptions(), metavar="FILE", help=about)
    return parser
