from pathlib import Path

from support.mirrors import equal, padded, problems, same

from chaperone.agent.gate.layout import MIRRORS, GateKind


def test_every_field_and_number_is_the_compilers(tmp_path: Path) -> None:
    kinds = [equal(f"KIND_GATE_{kind.name}", kind) for kind in GateKind]
    assert problems("gate_event.h", [*kinds, *same(MIRRORS)], tmp_path) == ""


def test_nothing_is_padded_by_the_compiler() -> None:
    assert padded(MIRRORS) == []
