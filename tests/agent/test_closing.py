"""What is closed aside."""

import os
from pathlib import Path

from support.descriptors import times_open

from chaperone.agent.closing import Closer


def test_what_is_given_to_the_closer_is_closed_when_it_has_finished(tmp_path: Path) -> None:
    """Others of this process may get the same numbers at once."""
    (file := tmp_path / "file").touch()
    opened = [os.open(file, os.O_RDONLY) for _ in range(50)]
    assert times_open(file) == 50
    closer = Closer()
    closer.close(opened)
    closer.finish()
    assert times_open(file) == 0
