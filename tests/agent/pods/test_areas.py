"""Where cgroups are, with folders for cgroups."""

from pathlib import Path

from chaperone.agent.pods.areas import Atlas, areas_below, folder_of, populated, top_of
from chaperone.agent.pods.paths import Place
from chaperone.agent.trace.governed import group_id

POD, ID = "pod0a1b2c3d-0000-4000-8000-00000000000a", "c" * 64


def folders(top: Path, *names: str) -> None:
    for name in names:
        (top / name).mkdir(parents=True)
        (top / name / "cgroup.procs").write_text("")


def test_the_outermost_cgroups_that_hold_pods_are_found(tmp_path: Path) -> None:
    folders(
        tmp_path, "system.slice/x", "kubepods.slice/y/kubepods", "docker/id/kubelet.slice/kubelet-kubepods.slice", "a/b/c/d/e/f/kubepods"
    )
    found = [str(path.relative_to(tmp_path)) for path in areas_below(tmp_path)]
    assert found == ["docker/id/kubelet.slice/kubelet-kubepods.slice", "kubepods.slice"]
    assert list(areas_below(tmp_path / "absent")) == []


def test_a_path_of_the_kernels_is_found_where_the_hierarchy_is_mounted(tmp_path: Path) -> None:
    """In kind the mount begins at the node's own cgroup, the kernel's path at the machine's."""
    folders(tmp_path, f"kubelet.slice/kubepods.slice/{POD}/{ID}")
    area = tmp_path / "kubelet.slice/kubepods.slice"
    assert folder_of((area,), f"/docker/node/kubelet.slice/kubepods.slice/{POD}/{ID}") == area / POD / ID
    assert folder_of((area,), f"/docker/node/kubelet.slice/kubepods.slice/{POD}/gone") == area / POD / "gone"
    assert folder_of((area,), "/system.slice/x") is None and folder_of((), f"/kubepods.slice/{POD}") is None


def test_a_containers_processes_belong_together(tmp_path: Path) -> None:
    area = tmp_path / "kubepods"
    folders(area, POD, f"{POD}/{ID}", f"{POD}/{ID}/one", f"{POD}/{ID}/two", f"{POD}/crio-conmon-{ID}", "besteffort")
    for name in (f"{POD}/{ID}/one", f"{POD}/{ID}/two", f"{POD}/crio-conmon-{ID}"):
        (area / name / "cgroup.procs").write_text("7\n")
    assert sorted(populated(area)) == [area / POD / ID, area / POD / f"crio-conmon-{ID}"]


def test_a_cgroup_is_found_by_its_number(tmp_path: Path) -> None:
    atlas = Atlas(tmp_path)
    folders(tmp_path, f"kubepods/{POD}/{ID}")
    container = tmp_path / "kubepods" / POD / ID
    assert atlas.look() == [tmp_path / "kubepods"] and atlas.look() == []
    place, folder = atlas.find(group_id(container)) or (None, None)
    assert folder == container and place and (place.pod_uid, place.container) == (POD.removeprefix("pod"), ID), "nothing was told of it"
    assert atlas.find(2**40) is None
    atlas.made(2**40, f"/kubepods/{POD}/{'d' * 64}")
    place, folder = atlas.find(2**40) or (None, None)
    assert place and place.container == "d" * 64 and folder and not folder.exists()
    atlas.gone(2**40)
    assert atlas.find(2**40) is None


def test_what_is_in_a_container_is_the_containers() -> None:
    place = Place("u", "", 3, ID)
    top = Path(f"/sys/fs/cgroup/kubepods/{POD}/crio-{ID}.scope")
    assert top_of(place, top) == top_of(place, top / "container") == top_of(place, top / "container" / f"mine-{ID}") == top
