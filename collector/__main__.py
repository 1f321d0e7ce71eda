"""`python -m chaperone.collector`: opens a store, serves Capture and Query on its socket, ends when told to or idle.

The one place where pipeline, store, ingest and serve are handed to one another, which is why it is long: each part is named here once.
"""

import argparse
import asyncio
import ctypes
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from chaperone.collector import policing
from chaperone.collector.accepted import Everywhere
from chaperone.collector.alone import Alone
from chaperone.collector.enforce import glass
from chaperone.collector.enforce.alerter import Alerter, alerting_on
from chaperone.collector.enforce.alerting import read_alerting
from chaperone.collector.enforce.approvals.office import Office
from chaperone.collector.enforce.journal import AlertedJournal
from chaperone.collector.enforce.kills import Kills, Outside
from chaperone.collector.enforce.orders import Orders
from chaperone.collector.enforce.outbox import OutboxError
from chaperone.collector.ingest.intake import PipelineIntake
from chaperone.collector.ingest.leftovers import Opener
from chaperone.collector.ingest.masking_file import remembered, settled_text
from chaperone.collector.ingest.reload import PolicyFiles
from chaperone.collector.ingest.selection import selection_of
from chaperone.collector.ingest.service import CaptureService
from chaperone.collector.lookup.access import AccessError, access, own_namespace
from chaperone.collector.lookup.client import Client
from chaperone.collector.lookup.objects import PolicyObjects
from chaperone.collector.lookup.pods import Pods
from chaperone.collector.lookup.startup import TAINT
from chaperone.collector.mask.masker import Masker
from chaperone.collector.nodes import PolicyError
from chaperone.collector.outboxes import Outboxes
from chaperone.collector.pipeline import Pipeline
from chaperone.collector.pipeline.approving import approving
from chaperone.collector.pipeline.effective import Modes
from chaperone.collector.pipeline.holds import Holds
from chaperone.collector.pipeline.instructions import ending
from chaperone.collector.pipeline.judge import Judge
from chaperone.collector.pipeline.judged import JudgedPipeline
from chaperone.collector.pipeline.people import QUESTIONS as DECIDING
from chaperone.collector.pipeline.people import People
from chaperone.collector.pipeline.successor import Successor
from chaperone.collector.pipeline.tally import TalliedJournal, TalliedPipeline, Tally, alert_family, lag_family, troubles_family
from chaperone.collector.policing import Policing
from chaperone.collector.rules.ruleset import Rules
from chaperone.collector.serve.activity import Activity
from chaperone.collector.serve.admission import Admission
from chaperone.collector.serve.doors import DoorError, open_doors
from chaperone.collector.serve.guard import Guard
from chaperone.collector.serve.local_line import LocalLine
from chaperone.collector.serve.metrics import Family
from chaperone.collector.serve.peers import Peers
from chaperone.collector.serve.port import WatchPort
from chaperone.collector.serve.query import Ask, QueryService, asking
from chaperone.collector.serve.readiness import Readiness
from chaperone.collector.settings import CollectorSettings, Listening, Shared, store_directory
from chaperone.collector.store.access import access_row
from chaperone.collector.store.committer import Pace
from chaperone.collector.store.directory import LINE, MASKING, SOCKET, DirectoryError, StoreDirectory, hold, socket_path, socket_target
from chaperone.collector.store.engine import StoreError
from chaperone.collector.store.opened import Store, opened
from chaperone.collector.store.rows import Clock, Row
from chaperone.collector.store.schema import SchemaError
from chaperone.collector.store.server import Address
from chaperone.collector.survey import Sources, Survey
from chaperone.collector.taints import Taints
from chaperone.collector.times import rfc3339
from chaperone.collector.together import Together, glass_of_others, kills_of_others
from chaperone.proto import capture_pb2_grpc, query_pb2_grpc
from chaperone.proto.log import add_options, log_of, speaking
from chaperone.proto.records import BreakGlass, Outcome, Record

if TYPE_CHECKING:
    from chaperone.collector.identity.reviews import ClusterReviews

LOG = logging.getLogger("chaperone.collector")
MESSAGE_LIMIT = 256 << 20  # a batch of the largest size, badly compressed
IN_CLUSTER = "in-cluster"
RENEW_S = 600  # a certificate in use is looked at so often
STOP_GRACE_S = 2.0
SWITCH_S = 0.0005  # how long the store's thread may go on before the event loop has its turn: at Python's 5 ms, held calls waited
YOUNG = 10_000  # objects more, before garbage is looked for: at Python's 700 that took a sixth of a held call's time here
HEIRS_S = 0.2  # a pod takes longer to begin
TELL_S = 20.0  # for alerts that wait, before an idle collector ends
PR_SET_DUMPABLE = 4
DEFAULT_NAMESPACE = "chaperone"  # ours, where nobody says
LIFTED = f"take the startup taint {TAINT} off nodes of this API as soon as their agent is ready"


def main(arguments: list[str] | None = None) -> int:
    """Run a collector; the exit status."""
    settings = _settings(arguments)
    leave_no_dump()
    with speaking("collector", settings.log):
        return _done(settings)


def _done(settings: CollectorSettings) -> int:
    try:
        policies = PolicyFiles(settings.policies, settings.default_policy, LOG.warning)
        text = settled_text(settings.mask) if settings.mask else None
        if settings.alerts:
            read_alerting(settings.alerts)  # a bad one is said before anything starts
        for where in filter(None, (settings.startup, settings.policy_objects)):
            access(where, os.environ)  # so is a kubeconfig that can't be used
        with hold(settings.store, settings.shared.keys) as directory:
            if text is not None:
                directory.remember_masking(text)
            with _looking_up(settings.lookup) as pods:
                asyncio.run(_run(directory, settings, policies, pods))
    except (AccessError, DirectoryError, PolicyError, SchemaError, StoreError, OutboxError, DoorError) as error:
        LOG.error(str(error))
        return 1
    return 0


def leave_no_dump() -> None:
    """Memory with plaintext and the fingerprint key gets into no core file and no debugger of another process of this user."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _settings(arguments: list[str] | None) -> CollectorSettings:
    parser = argparse.ArgumentParser(prog="chaperone collector", description="Understands, masks and stores what agents send.")
    parser.add_argument("--store", type=Path, help="directory to keep everything in")
    parser.add_argument("--exit-when-idle", type=float, metavar="SECONDS", help="end after so long without a client")
    parser.add_argument(
        "--first-client", type=float, default=0.0, metavar="SECONDS", help="with that: the first one may come so much later"
    )
    parser.add_argument("--ready-fd", type=int, metavar="N", help="write one line here once clients are served")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="what to mask besides the built-ins, from now on; none: nothing")
    parser.add_argument("--alerts", type=Path, metavar="FILE", help="tell these receivers of alerts [default: the file given last]")
    parser.add_argument("--policy", type=Path, action="append", default=[], metavar="FILE|DIR", help="judge by these rules (any number)")
    parser.add_argument("--no-default-policy", action="store_true", help="leave out the rules that come with Chaperone")
    add = parser.add_argument
    add("--listen", default="", metavar="HOST:PORT", help="serve agents and people with client certificates here too")
    add("--listen-tokens", default="", metavar="HOST:PORT", help="serve people with bearer tokens here too (needs --reviews)")
    add("--tls", type=Path, metavar="DIR", help="directory of tls.crt, tls.key and ca.crt for both; read again when they change")
    add("--metrics", default="", metavar="HOST:PORT", help="serve /metrics (to clients with certificates) and /readyz here (needs --tls)")
    add("--reviews", default="", metavar="KUBECONFIG|in-cluster", help="the API server that knows tokens and what people may")
    add("--lookup", default="", metavar="KUBECONFIG|in-cluster", help="ask this API about pods that rules want to know of")
    add("--lift-startup-taint", default="", metavar="KUBECONFIG|in-cluster", help=LIFTED)
    add("--clickhouse-url", metavar="URL", help="keep records in this database (https://HOST:PORT/NAME), which collectors may share")
    add("--clickhouse-login", type=Path, metavar="DIR", help="username, password and, if need be, ca.crt, tls.crt and tls.key for it")
    add("--keys", type=Path, metavar="DIR", help="fingerprint.key and spool.key, the same for all collectors that share a database")
    add("--collectors", metavar="HOST:PORT,…", help="all that share the database, this one too: they answer as one (needs --tls)")
    add("--this-collector", default="", metavar="HOST:PORT", help="which of --collectors this one is")
    add("--policy-objects", default="", metavar="KUBECONFIG|in-cluster", help="judge by this API's policies.chaperone.dev, too")
    add("--own-namespace", default="", metavar="NAME", help="Chaperone's, which rules protect [default, with --listen: the account's]")
    add_options(parser)
    given = parser.parse_args(arguments)
    place = store_directory(given.store, os.environ, os.getuid())
    default = not (given.no_default_policy or os.environ.get("CHAPERONE_NO_DEFAULT_POLICY"))
    policies, alerts = tuple(path.absolute() for path in given.policy), given.alerts and given.alerts.absolute()
    return CollectorSettings(
        store=place,
        policies=policies,
        default_policy=default,
        idle_s=given.exit_when_idle,
        first_s=given.first_client,
        ready_fd=given.ready_fd,
        alerts=alerts,
        mask=given.mask,
        listening=_listening(parser, given),
        startup=given.lift_startup_taint,
        shared=_shared(parser, given, os.environ),
        lookup=given.lookup,
        policy_objects=given.policy_objects,
        log=log_of(given),
        own_namespace=given.own_namespace or (own_namespace() if given.listen else ""),
    )


def _shared(parser: argparse.ArgumentParser, given: argparse.Namespace, environment: Mapping[str, str]) -> Shared:
    url = given.clickhouse_url or environment.get("CHAPERONE_CLICKHOUSE_URL", "")
    login, keys = given.clickhouse_login or environment.get("CHAPERONE_CLICKHOUSE_LOGIN"), given.keys or environment.get("CHAPERONE_KEYS")
    if keys and not url:
        parser.error("--keys needs --clickhouse-url: a store of its own has keys of its own")
    collectors = tuple(filter(None, (given.collectors or "").split(",")))
    if collectors and not (url and given.tls and given.this_collector in collectors):
        parser.error("--collectors needs --clickhouse-url, --tls, and with --this-collector one of its addresses")
    return Shared(url, Path(login) if login else None, Path(keys) if keys else None, collectors, given.this_collector)


def _listening(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Listening:
    if (given.listen or given.listen_tokens or given.metrics) and not given.tls:
        parser.error("--listen, --listen-tokens and --metrics need --tls: nothing is served on TCP without certificates")
    if given.listen_tokens and not given.reviews:
        parser.error("--listen-tokens needs --reviews: an API server that knows the tokens")
    return Listening(given.tls or Path(), given.listen, given.listen_tokens, given.reviews, given.metrics)


@contextmanager
def _looking_up(where: str) -> Iterator[Pods | None]:
    """Who is asked about pods. AccessError when nobody can be."""
    if not where:
        yield None
        return
    with closing(Pods(Client(access(where, os.environ)), LOG.warning)) as pods:
        yield pods


async def _run(directory: StoreDirectory, settings: CollectorSettings, policies: PolicyFiles, pods: Pods | None) -> None:
    pace = Pace(settings.flush_delay_s, settings.flush_rows, settings.retry_s)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    shared = settings.shared
    server = Address(shared.url, shared.login) if shared.url else None
    async with opened(directory, pace, server) as store, alerting_on(directory.path, settings.alerts) as alerter:
        activity, new_gate = Activity(), _gates(directory)
        parts = partial(Parts, store, activity, alerter, policies, pods, new_gate)
        opening = approving(directory, store, alerter, new_gate().text)
        async with opening as office, _serving(directory, settings, parts(office)):
            gc.freeze()  # what is here now stays: to look through it for garbage took 50 ms now and then, in which held calls waited
            gc.set_threshold(YOUNG)
            sys.setswitchinterval(SWITCH_S)
            activity.open(settings.first_s)
            _say_ready(settings.ready_fd)
            await _until_done(stopped, activity, settings.idle_s)
            while not stopped.is_set():
                await _tell(stopped, alerter)
                if settings.idle_s is None or activity.idle_s >= settings.idle_s:
                    break
                await _until_done(stopped, activity, settings.idle_s)


async def _tell(stopped: asyncio.Event, alerter: Alerter) -> None:
    """Nobody needs us; alerts that wait are told before we go, unless we are told to go."""
    tasks = asyncio.create_task(alerter.finish(TELL_S)), asyncio.create_task(stopped.wait())
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _asking(store: Ask, alerts: Ask, people: People, survey: Survey, together: Together) -> Ask:
    """Questions about alerts to all who keep them, words that decide to those who do as people say, of coverage to who looks at it,
    of what goes on to all collectors, all others to the store."""

    async def ask(name: str, parameters: str) -> list[dict[str, Any]]:
        if name == "coverage":
            return await survey.answer()
        if name in DECIDING:
            return await people.ask(name, parameters)
        if name == "workloads.status":
            return await together.workloads(await store("sessions.open", parameters))
        if name == "status":
            return [(await store(name, parameters))[0] | await together.status()]
        return await (alerts if name.startswith("alerts.") else store)(name, parameters)

    return ask


@dataclass(frozen=True, slots=True)
class Parts:
    """What serving is made of."""

    store: Store
    activity: Activity
    alerter: Alerter
    policies: PolicyFiles
    pods: Pods | None
    new_gate: Callable[[], Masker]
    office: Office


def _status(policies: PolicyFiles, pods: Pods | None) -> dict[str, Any]:
    return {**policies.status(), "look-ups": pods.status() if pods else "none"}


def _gates(directory: StoreDirectory) -> Callable[[], Masker]:
    masking = remembered(directory.masking(), str(directory.path / MASKING))
    return partial(Masker, directory.key(), masking, directory.key_number())


@asynccontextmanager
async def _serving(directory: StoreDirectory, settings: CollectorSettings, parts: Parts) -> AsyncIterator[None]:
    rows: list[Row] = []
    store, activity, alerter, policies = parts.store, parts.activity, parts.alerter, parts.policies
    new_gate, orders = parts.new_gate, Orders(parts.office)
    alerter.asks = orders.carries_out
    shared, text = settings.shared, new_gate().text
    peers = Peers(shared.collectors, shared.own, settings.listening.tls)
    told = Outside(store.living, lambda kill: intake.outgoing.tell_all(ending(kill)), store.keep_kills, text, kills_of_others(peers))
    kills = Kills(told, orders.carries_out)
    kills.begin()
    agents = glass.Outside(
        lambda: capture.calling(), lambda *said: intake.outgoing.tell(*said), store.keep_glass, text, glass_of_others(peers)
    )
    glasses = glass.Glasses(agents)
    glasses.recall(await store.broken_glass())
    if settings.policy_objects:
        policies.remember(await store.known_policies())
    judge = Judge(policies.rules, rows, new_gate().text, [alerter, orders, kills], parts.pods)
    holds = Holds(orders, judge)
    modes = Modes(judge, lambda agent: intake.outgoing.hears(agent))
    kills.spares, known = modes.is_broken, new_gate().text

    def observe(record: Record, agent: str) -> None:
        modes.take(record, agent)
        if isinstance(record, BreakGlass):
            glasses.heard(record, agent)
            told = known(record.who), known(record.why)
            alerter.gather(glass.alert_of(record, told, rfc3339(time.time_ns())), glass.likeness(record))
        if isinstance(record, Outcome):
            kills.heard(record.hold, record.result)

    reading = Pipeline(new_gate, judge, judge.scans, holds)
    reading.own = settings.own_namespace
    pipeline = JudgedPipeline(reading, judge, holds, observe)
    judge.heirs.recall(await store.heirs())
    succession = Successor(store, pipeline, (modes, parts.office), lambda: policies.rules.horizon_ns)
    if not store.is_shared:
        await succession.go_on()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, policies.ask_anew)
    journal = AlertedJournal(store, alerter)
    tally = Tally()
    intake = PipelineIntake(TalliedPipeline(pipeline, tally), rows, TalliedJournal(journal, tally), Clock)
    intake.looks_up = parts.pods is not None
    intake.succession = succession if store.is_shared else None
    parts.office.on_change = intake.look
    reviews = _reviews(settings.listening)
    limits = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", -1), ("grpc.http2.max_ping_strikes", 0)]
    server = grpc.aio.server(options=limits, interceptors=[Guard(reviews)])
    capture = CaptureService(intake, settings, activity, Opener(directory.spool_key()))
    capture.greet = glasses.greet

    select = partial(_select, capture, policies, judge)

    def use(rules: Rules) -> None:
        judge.use(rules)
        select()
        intake.look()

    select()
    watching, inheriting = asyncio.create_task(policies.watch(use)), asyncio.create_task(_tell_heirs(judge, select))
    api = parts.pods.access if parts.pods else None
    kept = policing.Outside(store.known_policies, store.keep_policies, new_gate().text, capture.nodes, Everywhere(peers), LOG.warning)
    police = Policing(policies, kept)
    alone = Alone(capture.nodes, store.process, modes.of, parts.office, kills, glasses, alerter.ask, police.rows)
    together = Together(peers, alone, store.is_shared)
    people = People(together, kills, glasses)
    survey = Survey(
        Sources(store.ask, together.nodes, lambda: policies.rules.policies, api, settings.own_namespace), alerter.tell, LOG.warning
    )
    surveying, lifting = asyncio.create_task(survey.watch()), _lifting(settings.startup, settings.own_namespace)
    objects = _policing(settings, police)
    capture_pb2_grpc.add_CaptureServicer_to_server(capture, server)
    others = _asking(store.ask, Outboxes(peers, alerter.ask).ask, people, survey, together)
    answers = asking({"rules.status": lambda: _status(policies, parts.pods)}, others)
    admission = Admission(answers, reviews, lambda access: store.commit([access_row(access)]))
    query_pb2_grpc.add_QueryServicer_to_server(QueryService(admission.ask, activity), server)
    query_pb2_grpc.add_PeersServicer_to_server(QueryService(alone.ask, activity), server)
    metrics = _metrics(settings.listening, tally, survey, parts)
    line, place = LocalLine(capture.Stream, MESSAGE_LIMIT), Path(socket_path(directory.path, LINE))
    try:
        async with line.listening(place), people.listening(directory, activity):  # an agent that can reach us finds its line
            await _listen(server, directory.path, settings.listening)
            yield
    finally:
        metrics.close()
        watching.cancel()
        inheriting.cancel()
        surveying.cancel()
        lifting.cancel()
        objects.close()
        await server.stop(STOP_GRACE_S)
        parts.office.on_change = lambda: None
        intake.close()
        journal.close()
        if reviews:
            await reviews.close()
        (directory.path / SOCKET).unlink(missing_ok=True)


def _select(capture: CaptureService, policies: PolicyFiles, judge: Judge) -> None:
    """Tell agents which pods are governed now."""
    capture.select(selection_of(policies.rules.policies, judge.heirs))


async def _tell_heirs(judge: Judge, tell: Callable[[], None]) -> None:
    """Whenever something more is known that governed workloads made, until cancelled."""
    known = judge.heirs.changes
    while True:
        await asyncio.sleep(HEIRS_S)
        if judge.heirs.changes != known:
            known = judge.heirs.changes
            tell()


def _policing(settings: CollectorSettings, police: Policing) -> ExitStack:
    """Records what changes in policies, and hears of those that are objects, until closed. Whoever ends when idle has the pack only."""
    stack = ExitStack()
    if where := settings.policy_objects:
        loop = asyncio.get_running_loop()
        then = loop.call_soon_threadsafe
        found = PolicyObjects(
            access(where, os.environ), lambda objects: then(police.give, objects), LOG.warning, lambda statuses: then(police.note, statuses)
        )
        police.objects = found
        found.start()
        stack.callback(found.close)
    if settings.idle_s is None:
        watching = asyncio.create_task(police.watch())
        stack.callback(watching.cancel)
    return stack


def _lifting(where: str, own: str) -> "asyncio.Task[None]":
    """Takes the startup taint off nodes of this API, until cancelled."""
    taints = Taints(access(where, os.environ), own or DEFAULT_NAMESPACE, LOG.warning) if where else None
    return asyncio.create_task(taints.watch() if taints else asyncio.sleep(0))


def _metrics(listening: Listening, tally: Tally, survey: Survey, parts: Parts) -> ExitStack:
    """Until closed, if anybody wants them."""
    stack = ExitStack()
    if not listening.metrics:
        return stack

    def families() -> Iterator[Family]:
        yield from tally.families()
        yield from survey.families()
        yield lag_family(parts.store.lag_s)
        yield alert_family(parts.alerter.counters.values())
        yield troubles_family({"store": parts.store.refusal(), "alerts": parts.alerter.refusal()})

    async def is_well() -> bool:
        return not parts.store.refusal() and not parts.alerter.refusal() and await parts.store.answers()

    port = WatchPort(listening.metrics, listening.tls, families, Readiness(asyncio.get_running_loop(), is_well))
    stack.callback(port.close)
    renewing = asyncio.create_task(_renewing(port))
    stack.callback(renewing.cancel)
    return stack


async def _renewing(port: WatchPort) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        port.renew()


def _reviews(listening: Listening) -> "ClusterReviews | None":
    if not listening.reviews:
        return None
    from chaperone.collector.identity.reviews import ClusterReviews  # noqa: PLC0415 - a quarter of a second that a `run` need not wait

    return ClusterReviews(None if listening.reviews == IN_CLUSTER else Path(listening.reviews))


async def _listen(server: grpc.aio.Server, store: Path, listening: Listening) -> None:
    """Bind with a umask, so that the socket never has a wider mode."""
    open_doors(server, listening)
    before = os.umask(0o177)
    try:
        server.add_insecure_port(socket_target(store))
        await server.start()
    finally:
        os.umask(before)


def _say_ready(descriptor: int | None) -> None:
    if descriptor is not None:
        os.write(descriptor, b"ready\n")
        os.close(descriptor)


async def _until_done(stopped: asyncio.Event, activity: Activity, idle_s: float | None) -> None:
    while not stopped.is_set() and (idle_s is None or activity.idle_s < idle_s):
        remaining = None if idle_s is None else min(max(idle_s - activity.idle_s, 0.05), idle_s)  # the first may come and go meanwhile
        try:
            await asyncio.wait_for(stopped.wait(), remaining)
        except TimeoutError:
            continue


if __name__ == "__main__":
    sys.exit(main())
