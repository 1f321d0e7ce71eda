from pathlib import Path

from support.mirrors import equal, problems, same

from chaperone.agent.hold.layout import HELD, HELD_SHARE, MIRRORS
from chaperone.agent.trace.values import Site


def test_every_field_and_number_is_the_compilers(tmp_path: Path) -> None:
    numbers = [equal("KIND_HELD", HELD), equal("HELD_SHARE", HELD_SHARE), *(equal(f"SITE_{site.name}", site) for site in Site)]
    assert problems("hold_event.h", [*numbers, *same(MIRRORS)], tmp_path) == ""
