"""What is closed aside."""

import os

import pytest

from chaperone.agent.closing import Closer


def test_what_is_given_to_the_closer_is_closed_when_it_has_finished() -> None:
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
    closer = Closer()
    closer.close(opened)
    closer.finish()
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
