"""Who is governed, and how."""

import pytest

from chaperone.agent.hold.terms import Terms
from chaperone.agent.pods.facts import Container, PodFacts
from chaperone.agent.pods.select import Mode, Selection, Selector, labels_of, selectors_of
from chaperone.proto import capture_pb2 as wire

LABEL = "chaperone.dev/govern"


def pod(namespace: str = "demo", **labels: str) -> PodFacts:
    return PodFacts(("u",), namespace, "p", labels={name.replace("govern", LABEL): value for name, value in labels.items()})


RECORDED = Selection((Selector(Mode.RECORD, ("demo",)),))
ENFORCED = Selection((Selector(Mode.RECORD), Selector(Mode.ENFORCE, ("d*", "x"), labels={"app": "ag*"})))


@pytest.mark.parametrize(
    ("selection", "facts", "namespace", "mode"),
    [
        (Selection(), pod(), {}, Mode.OFF),
        (Selection(), pod(govern="record"), {}, Mode.RECORD),
        (Selection(), pod(govern="enforce"), {}, Mode.ENFORCE),
        (Selection(), pod(govern="nonsense"), {}, Mode.OFF),
        (Selection(), pod(), {LABEL: "record"}, Mode.RECORD),
        (Selection(), pod(govern="record"), {LABEL: "enforce"}, Mode.ENFORCE),
        (RECORDED, pod(), {}, Mode.RECORD),
        (RECORDED, pod("other"), {}, Mode.OFF),
        (RECORDED, pod(govern="enforce"), {}, Mode.ENFORCE),
        (RECORDED, pod(govern="off"), {LABEL: "off"}, Mode.RECORD),
        (ENFORCED, pod(app="agent"), {}, Mode.ENFORCE),
        (ENFORCED, pod(app="other"), {}, Mode.RECORD),
        (ENFORCED, pod("other", app="agent"), {}, Mode.RECORD),
        (ENFORCED, pod(govern="record"), {}, Mode.RECORD),
    ],
)
def test_the_greatest_mode_wins(selection: Selection, facts: PodFacts, namespace: dict[str, str], mode: Mode) -> None:
    assert selection.mode_of(facts, namespace) is mode


def test_nobody_governs_the_cluster_itself_nor_us() -> None:
    selection = Selection((Selector(Mode.ENFORCE),), own="chaperone")
    for namespace in ("kube-system", "chaperone"):
        assert selection.mode_of(pod(namespace, govern="enforce"), {LABEL: "enforce"}) is Mode.OFF
    assert selection.mode_of(pod(), {}) is Mode.ENFORCE


def test_a_namespace_that_is_not_known_yet_may_raise_it() -> None:
    assert Selection().mode_of(pod(), None) is RECORDED.mode_of(pod(), None) is None
    assert Selection().mode_of(pod(govern="enforce"), None) is Mode.ENFORCE, "nothing is above"


def test_a_selector_asks_for_a_containers_name_account_and_node() -> None:
    known = PodFacts(("u",), "demo", "p", "n1", "bot", containers={"id": Container("id", "side-car")})
    for selector in (Selector(Mode.RECORD, containers=("side*",)), Selector(Mode.RECORD, service_accounts=("demo:b*",), nodes=("n?",))):
        assert Selection((selector,)).mode_of(known, {}, "id") is Mode.RECORD
    assert Selection((Selector(Mode.RECORD, containers=("main",)),)).mode_of(known, {}, "id") is Mode.OFF
    assert Selection((Selector(Mode.RECORD, containers=("main",)),)).mode_of(known, {}, "other") is Mode.RECORD, "it has no name yet"
    assert Selection((Selector(Mode.RECORD, nodes=("n2",)),)).mode_of(known, {}, "id") is Mode.OFF


def test_what_concerns_everybody_governs_nobody_by_itself() -> None:
    everybody = Selector(Mode.ENFORCE, only_raises=True)
    assert Selection((everybody,)).mode_of(pod(), {}) is Mode.OFF
    assert Selection((everybody,)).mode_of(pod(govern="record"), {}) is Mode.ENFORCE
    assert Selection((everybody, Selector(Mode.RECORD, ("demo",)))).mode_of(pod(), {}) is Mode.ENFORCE


def test_before_the_collector_has_said_anything_only_labels_decide() -> None:
    unknown = Selection(is_known=False)
    assert unknown.mode_of(pod(), {}) is None
    assert unknown.mode_of(pod(govern="record"), {}) is Mode.RECORD
    assert unknown.mode_of(pod(govern="record"), None) is None
    assert unknown.mode_of(pod("kube-system"), {}) is Mode.OFF


def test_selectors_come_from_the_collector() -> None:
    said = wire.PodSelector(
        mode="enforce", namespaces=["a", "b*"], service_accounts=["a:x"], containers=["c"], nodes=["n"], only_raises=True
    )
    said.labels["app"] = "agent"
    said.scan = "on"
    said.on_failure, said.verdict_timeout_s, said.hold_limit_s, said.uncovered = "deny", "3.0", "nonsense", "deny"
    unknown = wire.PodSelector(mode="some later mode")
    assert selectors_of(wire.Selection(selectors=[said, unknown])) == (
        Selector(
            Mode.ENFORCE,
            ("a", "b*"),
            ("a:x",),
            ("c",),
            ("n",),
            {"app": "agent"},
            only_raises=True,
            terms=Terms(True, 3_000_000_000, covers=True),
            scans=True,
        ),
    )


def test_each_term_of_several_policies_is_at_its_strictest() -> None:
    first, second = Terms(denies=True, verdict_timeout=9, hold_limit=4), Terms(verdict_timeout=5, hold_limit=8, covers=True)
    selection = Selection(
        (
            Selector(Mode.ENFORCE, terms=first),
            Selector(Mode.ENFORCE, only_raises=True, terms=second),
            Selector(Mode.ENFORCE, ("other",), terms=Terms(verdict_timeout=1)),
            Selector(Mode.RECORD, terms=Terms(verdict_timeout=1)),
        )
    )
    assert selection.terms_of(pod()) == Terms(True, 5, 4, covers=True)
    assert Selection().terms_of(pod(govern="enforce")) == Terms()


def test_pods_that_governed_workloads_made_are_known_by_their_owner() -> None:
    heirs = [wire.PodSelector(mode="enforce", namespaces=["demo"], owners=["Job/a", "ReplicaSet/web-", "Pod/tool"], on_failure="deny")]
    selection = Selection(selectors_of(wire.Selection(heirs=heirs)))

    def mode(owner: str, name: str = "p", namespace: str = "demo") -> Mode | None:
        return selection.mode_of(PodFacts(("u",), namespace, name, owner=owner), {})

    assert {mode("Job/a"), mode("ReplicaSet/web-5d8"), mode("", "tool")} == {Mode.ENFORCE}
    assert {mode("Job/b"), mode("ReplicaSet/web-x-5d8"), mode("ReplicaSet/web"), mode(""), mode("Job/a", namespace="x")} == {Mode.OFF}
    assert selection.terms_of(PodFacts(("u",), "demo", "p", owner="Job/a")).denies


@pytest.mark.parametrize(
    ("said", "namespace", "told"),
    [
        ({"govern": "record"}, {LABEL: "enforce"}, {LABEL: "enforce"}),
        ({"govern": "enforce"}, {LABEL: "record"}, {LABEL: "enforce"}),
        ({"app": "a"}, {LABEL: "enforce", "team": "b"}, {"app": "a", LABEL: "enforce"}),
        ({"govern": "nonsense"}, {}, {LABEL: "nonsense"}),
        ({"app": "a"}, {}, {"app": "a"}),
    ],
)
def test_the_collector_is_told_how_a_namespace_has_its_pods_governed(
    said: dict[str, str], namespace: dict[str, str], told: dict[str, str]
) -> None:
    assert labels_of(pod(**said), namespace) == told
