from pathlib import Path

from support.mirrors import equal, problems, same

from chaperone.agent.groups.layout import AREA, GROUP_PATH_LIMIT, IGNORED, MIRRORS, GroupKind


def test_every_field_and_number_is_the_compilers(tmp_path: Path) -> None:
    limits = [equal("GROUP_PATH_LIMIT", GROUP_PATH_LIMIT), equal("AREA", AREA), equal("IGNORED", IGNORED)]
    kinds = [equal(f"KIND_GROUP_{kind.name}", kind) for kind in GroupKind]
    assert problems("group_event.h", [*limits, *kinds, *same(MIRRORS)], tmp_path) == ""
