from pathlib import Path

from support.mirrors import equal, padded, problems, same

from chaperone.agent.sockets.layout import HELLO_LIMIT, MIRRORS, SIZES, Broken, SocketKind


def test_every_field_and_number_is_the_compilers(tmp_path: Path) -> None:
    numbers = [equal("HELLO_LIMIT", HELLO_LIMIT), equal("SIZES", SIZES)]
    numbers += [equal(f"KIND_SOCKET_{kind.name}", kind) for kind in SocketKind]
    numbers += [equal(f"BROKEN_{broken.name}", broken) for broken in Broken]
    assert problems("socket_event.h", [*numbers, *same(MIRRORS)], tmp_path) == ""


def test_nothing_is_padded_by_the_compiler() -> None:
    assert padded(MIRRORS) == []
