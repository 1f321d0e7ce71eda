"""What an upgraded request's URL asks for."""

import pytest

from chaperone.collector.kube.upgrade.asked import Asked, Purpose, asked

POD = "/api/v1/namespaces/n/pods/p"
KUBELET = "/api/v1/nodes/node-1:10250/proxy"
NOTHING = Asked(Purpose.OTHER, ("error",))


@pytest.mark.parametrize(
    ("uri", "purpose"),
    [
        (f"{POD}/exec?command=sh", Purpose.COMMAND),
        (f"{POD}/attach", Purpose.COMMAND),
        (f"{POD}/portforward", Purpose.PORTS),
        (f"{POD}/log?follow=true", Purpose.LOG),
        (f"{KUBELET}/exec/ns/pod/container?command=sh", Purpose.COMMAND),
        (f"{KUBELET}/exec/ns/pod/uid/container?command=sh", Purpose.COMMAND),
        (f"{KUBELET}/attach/ns/pod/container", Purpose.COMMAND),
        (f"{KUBELET}/portForward/ns/pod?port=80", Purpose.PORTS),
        (f"{KUBELET}/containerLogs/ns/pod/container", Purpose.LOG),
        ("/api/v1/nodes/proxy/proxy/exec/ns/pod/container", Purpose.OTHER),
        (f"{KUBELET}/run/ns/pod/container?cmd=ls", Purpose.OTHER),
        (KUBELET, Purpose.OTHER),
        ("/api/v1/pods?watch=true", Purpose.WATCH),
        ("/api/v1/watch/namespaces/n/pods", Purpose.WATCH),
        ("/apis/apps/v1/deployments?watch=1", Purpose.WATCH),
        (f"{POD}/proxy/exec", Purpose.OTHER),
        ("/apis/subresources.kubevirt.io/v1/namespaces/n/virtualmachineinstances/vm/console", Purpose.OTHER),
        ("/", Purpose.OTHER),
    ],
)
def test_the_purpose_follows_from_the_path(uri: str, purpose: Purpose) -> None:
    assert asked(uri).purpose is purpose


@pytest.mark.parametrize(
    ("query", "streams"),
    [
        ("", ("error",)),
        ("stdout=true&stderr=1", ("error", "stdout", "stderr")),
        ("stdin=true&stdout=true&stderr=true&tty=true", ("error", "stdin", "stdout", "resize")),
        ("stdin=false&stdout=True", ("error", "stdout")),
    ],
)
def test_streams_are_in_the_order_in_which_clients_open_them(query: str, streams: tuple[str, ...]) -> None:
    assert asked(f"{POD}/exec?{query}").streams == streams


@pytest.mark.parametrize(
    ("query", "ports"),
    [("ports=80&ports=90", (80, 90)), ("port=80,90", (80, 90)), ("ports=x&ports=-1&ports=%C2%B2&ports=443", (443,)), ("", ())],
)
def test_ports_are_read_from_either_server_s_query(query: str, ports: tuple[int, ...]) -> None:
    assert asked(f"{POD}/portforward?{query}").ports == ports


def test_a_target_that_makes_no_sense_asks_for_nothing() -> None:
    assert asked("*") == NOTHING
