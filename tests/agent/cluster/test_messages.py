"""What the process without privilege may say: values go through, everything else is refused."""

import json

import pytest

from chaperone.agent.cluster.messages import MESSAGE_LIMIT, Listed, Message, NamespaceTold, PodTold, ServersTold, Trouble, pack, unpack
from chaperone.agent.pods.facts import Container, PodFacts

FACTS = PodFacts(
    ("u1", "u2"), "demo", "agent", "n1", "sa", "Job/x", "gvisor", {"a": "b"}, {"id": Container("id", "main", "image")}, is_host_network=True
)


@pytest.mark.parametrize(
    "message",
    [
        PodTold("demo/agent", FACTS),
        PodTold("demo/agent"),
        NamespaceTold("demo", {"a": "b"}),
        NamespaceTold("demo"),
        ServersTold("service kubernetes", ("10.0.0.1:443", "[fd00::1]:443")),
        Listed("pods"),
        Trouble("pods", 403, "the API server answers 403"),
    ],
)
def test_values_go_through(message: Message) -> None:
    assert unpack(pack(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"7",
        b'["other", 1]',
        b'["pod"]',
        b'["pod", 7, null]',
        b'["pod", "k", []]',
        b'["pod", "k", [["u"], ["a"], {}, [], false]]',
        b'["pod", "k", [["u"], ["a","b","c","d","e","f"], [], [], false]]',
        b'["pod", "k", [["u"], ["a","b","c","d","e","f"], {}, [["id", 3, "i"]], false]]',
        b'["namespace", "n", {"a": 1}]',
        b'["servers", "s", 5]',
        b'["trouble", "pods", "x", "why"]',
        b"[" * 50_000,
        json.dumps(["listed", "x" * 5000]).encode(),
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no message about pods"):
        unpack(data)


def test_a_pod_with_all_the_labels_there_can_be_fits_and_keeps_ours() -> None:
    labels = {f"{number:05}{'x' * 250}/name": "v" * 63 for number in range(3000)} | {"chaperone.dev/govern": "record"}
    containers = {f"{number:064}": Container(f"{number:064}", "n" * 63, "i" * 1000) for number in range(1000)}
    packed = pack(PodTold("demo/agent", PodFacts(("u",), "demo", "agent", labels=labels, containers=containers)))
    assert len(packed) < MESSAGE_LIMIT
    found = unpack(packed)
    assert isinstance(found, PodTold) and found.facts
    assert found.facts.labels["chaperone.dev/govern"] == "record"
    assert f"{999:064}" in found.facts.containers, "the last ones are those that run"


def test_a_troubles_words_are_short_and_plain() -> None:
    found = unpack(json.dumps(["trouble", "pods", 0, "a\x1b[31m\n" + "x" * 900]).encode())
    assert isinstance(found, Trouble)
    assert len(found.why) == 200 and found.why.isprintable()
