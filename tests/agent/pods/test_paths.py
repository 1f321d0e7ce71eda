"""Paths as kubelets, containerd, CRI-O and Docker make them, and all that one can make of their rules."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.agent.pods.paths import Place, holds_pods, place_of, unified

UID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LOW = UID.replace("-", "_")
ID = "3f4a" * 16

uids = st.uuids().map(str) | st.text("0123456789abcdef", min_size=32, max_size=32)
ids = st.text("0123456789abcdef", min_size=64, max_size=64)
qualities = st.sampled_from(["guaranteed", "burstable", "besteffort"])
prefixes = st.sampled_from(["cri-containerd", "crio", "docker"])
roots = st.sampled_from(["", "/kubelet", "/system.slice/docker-" + "ab" * 32 + ".scope/kubelet", "/../.."])
below = st.lists(st.from_regex(r"[a-zA-Z0-9_.@:-]{1,20}", fullmatch=True), max_size=4).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
RUNTIME = {"cri-containerd": "containerd", "crio": "cri-o", "docker": "docker"}


def systemd(uid: str, quality: str, name: str, root: str) -> str:
    """As cgroup_manager_linux.go names slices: each holds the names of all above it."""
    own = "kubelet-kubepods" if root.endswith("kubelet") else "kubepods"
    above = f"{root}.slice" if root.endswith("kubelet") else root
    middle = "" if quality == "guaranteed" else f"/{own}-{quality}.slice"
    slice_ = f"{own}-pod" if quality == "guaranteed" else f"{own}-{quality}-pod"
    return f"{above}/{own}.slice{middle}/{slice_}{uid.replace('-', '_')}.slice/{name}"


def cgroupfs(uid: str, quality: str, name: str, root: str) -> str:
    middle = "" if quality == "guaranteed" else f"/{quality}"
    return f"{root}/kubepods{middle}/pod{uid}/{name}"


@given(uids, qualities, ids, prefixes, roots, below)
def test_the_systemd_driver(uid: str, quality: str, container: str, prefix: str, root: str, nested: str) -> None:
    path = systemd(uid, quality, f"{prefix}-{container}.scope", root)
    parts = len([part for part in path.split("/") if part])
    assert place_of(path + nested) == Place(uid, quality, parts, container, RUNTIME[prefix])


@given(uids, qualities, ids, st.sampled_from(["", "crio-"]), roots, below)
def test_the_cgroupfs_driver(uid: str, quality: str, container: str, prefix: str, root: str, nested: str) -> None:
    path = cgroupfs(uid, quality, prefix + container, root)
    parts = len([part for part in path.split("/") if part])
    assert place_of(path + nested) == Place(uid, quality, parts, container, "cri-o" if prefix else "")


@given(uids, qualities, roots, st.sampled_from([systemd, cgroupfs]))
def test_what_belongs_to_a_pod_and_to_no_container(uid: str, quality: str, root: str, driver: object) -> None:
    for name in ("", f"crio-conmon-{ID}.scope", f"crio-conmon-{ID}", "init.scope", ID[:60]):
        place = place_of(driver(uid, quality, name, root))  # type: ignore[operator]
        assert place is not None
        assert (place.pod_uid, place.qos, place.container, place.runtime) == (uid, quality, "", "")


@given(st.text() | st.from_regex(r"(/(kubepods|pod|[a-z0-9.:_-]+)(-pod[0-9a-f_-]+)?(\.slice)?)+"))
def test_any_text_has_a_place_or_none(path: str) -> None:
    place = place_of(path)
    assert place is None or re.fullmatch("[0-9a-f-]{32,36}", place.pod_uid)
    if place:
        assert 1 <= place.parts <= len(path.split("/"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/kubepods.slice/kubepods-pod{LOW}.slice/cri-containerd-{ID}.scope", (UID, "guaranteed", ID, "containerd")),
        (f"/kubepods/besteffort/pod{UID}/{ID}", (UID, "besteffort", ID, "")),
        (f"/kubepods/pod{UID}/{ID}", (UID, "guaranteed", ID, "")),
        (f"/system.slice/containerd.service/kubepods-burstable-pod{LOW}.slice:cri-containerd:{ID}", (UID, "burstable", ID, "containerd")),
        (
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{LOW}.slice/crio-{ID}.scope/container",
            (UID, "burstable", ID, "cri-o"),
        ),
        (f"/kubepods/burstable/pod{'a' * 32}/{ID}", ("a" * 32, "burstable", ID, "")),
    ],
)
def test_paths_seen_on_nodes(path: str, expected: tuple[str, str, str, str]) -> None:
    place = place_of(path)
    assert place and (place.pod_uid, place.qos, place.container, place.runtime) == expected


def test_a_kubelet_in_a_pod_is_that_pods() -> None:
    inner = f"/kubelet/kubepods/burstable/pod{'b' * 32}/{'d' * 64}"
    place = place_of(f"/kubepods/besteffort/pod{UID}/{ID}{inner}")
    assert place == Place(UID, "besteffort", 4, ID)


@pytest.mark.parametrize(
    "path", ["", "/", "/system.slice/sshd.service", f"/system.slice/docker-{ID}.scope", "/kubepods.slice", "/user.slice/pod"]
)
def test_what_is_no_pods(path: str) -> None:
    assert place_of(path) is None


def test_on_a_hybrid_node_only_the_unified_hierarchy_counts() -> None:
    text = f"9:name=systemd:/kubepods/pod{UID}/{ID}\n4:memory:/kubepods/pod{UID}/{ID}\n"
    assert unified(text + "0::/kubepods.slice\n") == "/kubepods.slice"
    assert unified(text) == ""


@pytest.mark.parametrize("name", ["kubepods", "kubepods.slice", "kubelet-kubepods.slice"])
def test_the_kubelets_own_cgroup_is_known_by_name(name: str) -> None:
    assert holds_pods(name)
    assert not holds_pods(name.replace("kubepods", "kubepods-burstable"))
    assert not holds_pods("system.slice")
