"""Which pods the agents are to govern, as the policies in force say.

A policy governs pods if its selector asks for something. One without a selector concerns every session and governs nobody by itself:
were it otherwise, the rules that come with Chaperone would have every pod of a cluster recorded.
"""

from collections.abc import Iterable, Iterator, Sequence

from chaperone.collector.rules.acting import strictest
from chaperone.collector.rules.document import Policy
from chaperone.collector.rules.heirs import Heir
from chaperone.collector.rules.ruleset import with_mode
from chaperone.collector.rules.selector import EVERYTHING
from chaperone.collector.rules.terms import Keeping, Mode, Scan, Terms
from chaperone.collector.times import SECOND
from chaperone.proto import capture_pb2 as pb

FIELDS = {"namespaces": "namespaces", "serviceAccounts": "service_accounts", "containers": "containers", "nodes": "nodes"}


def selection_of(policies: Iterable[Policy], heirs: Iterable[Heir] = ()) -> pb.Selection:
    """As agents are told. `heirs`: what governed workloads made."""
    known = tuple(policies)
    return pb.Selection(selectors=list(_selectors(known)), heirs=list(_heirs(heirs, known)))


def _heirs(heirs: Iterable[Heir], policies: Sequence[Policy]) -> Iterator[pb.PodSelector]:
    """All of one namespace that are governed alike in one."""
    alike: dict[tuple[str, Mode, tuple[tuple[str, Mode], ...]], list[str]] = {}
    for heir in heirs:
        alike.setdefault((heir.namespace, heir.mode, heir.policies), []).append(heir.owner)
    by_name = {policy.name: policy for policy in policies}
    for (namespace, mode, names), owners in alike.items():
        found = [with_mode(by_name[name], each) for name, each in names if name in by_name]
        said = pb.PodSelector(mode=str(mode), namespaces=[namespace], owners=owners)
        _govern(said, found)
        yield said


def _govern(said: pb.PodSelector, policies: Sequence[Policy]) -> None:
    """As any of these says; where one of them acts, on the strictest terms."""
    if any(policy.terms.record is Keeping.STRICT for policy in policies):
        said.record = str(Keeping.STRICT)
    if any(policy.terms.egress_scan is Scan.ON for policy in policies):
        said.scan = str(Scan.ON)
    if terms := strictest(policies):
        said.mode, said.on_failure, said.uncovered = str(Mode.ENFORCE), str(terms.on_failure), str(terms.uncovered)
        said.verdict_timeout_s, said.hold_limit_s = (str(ns / SECOND) for ns in (terms.verdict_timeout_ns, terms.hold_limit_ns))


def _selectors(policies: Iterable[Policy]) -> Iterator[pb.PodSelector]:
    for policy in policies:
        if policy.terms.mode is Mode.OFF or (policy.selector == EVERYTHING and not strictest([policy]) and not _asks(policy.terms)):
            continue
        said = pb.PodSelector(mode=str(Mode.RECORD), labels=dict(policy.selector.labels), only_raises=policy.selector == EVERYTHING)
        for name, patterns in policy.selector.patterns:
            getattr(said, FIELDS[name]).extend(patterns)
        _govern(said, [policy])
        yield said


def _asks(terms: Terms) -> bool:
    """Whether agents are to do anything otherwise than usual, beside holding calls."""
    return terms.record is Keeping.STRICT or terms.egress_scan is Scan.ON
