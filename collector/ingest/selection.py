"""Which pods the agents are to govern, as the policies in force say.

A policy governs pods if its selector asks for something. One without a selector concerns every session and governs nobody by itself:
were it otherwise, the rules that come with Chaperone would have every pod of a cluster recorded.
"""

from collections.abc import Iterable, Iterator

from chaperone.collector.rules.acting import strictest
from chaperone.collector.rules.document import Policy
from chaperone.collector.rules.selector import EVERYTHING
from chaperone.collector.rules.terms import Keeping, Mode, Scan, Terms
from chaperone.collector.times import SECOND
from chaperone.proto import capture_pb2 as pb

FIELDS = {"namespaces": "namespaces", "serviceAccounts": "service_accounts", "containers": "containers", "nodes": "nodes"}


def selection_of(policies: Iterable[Policy]) -> pb.Selection:
    """As agents are told."""
    return pb.Selection(selectors=list(_selectors(policies)))


def _selectors(policies: Iterable[Policy]) -> Iterator[pb.PodSelector]:
    for policy in policies:
        terms = strictest([policy])
        if policy.terms.mode is Mode.OFF or (policy.selector == EVERYTHING and terms is None and not _asks(policy.terms)):
            continue
        mode = str(Mode.ENFORCE if terms else Mode.RECORD)
        said = pb.PodSelector(mode=mode, labels=dict(policy.selector.labels), only_raises=policy.selector == EVERYTHING)
        for name, patterns in policy.selector.patterns:
            getattr(said, FIELDS[name]).extend(patterns)
        if policy.terms.record is Keeping.STRICT:
            said.record = str(Keeping.STRICT)
        if policy.terms.egress_scan is Scan.ON:
            said.scan = str(Scan.ON)
        if terms:
            said.on_failure, said.uncovered = str(terms.on_failure), str(terms.uncovered)
            said.verdict_timeout_s, said.hold_limit_s = (str(ns / SECOND) for ns in (terms.verdict_timeout_ns, terms.hold_limit_ns))
        yield said


def _asks(terms: Terms) -> bool:
    """Whether agents are to do anything otherwise than usual, beside holding calls."""
    return terms.record is Keeping.STRICT or terms.egress_scan is Scan.ON
