"""Waiting for descriptors, however large their numbers are."""

import fcntl
import os
import socket

from chaperone.agent.ready import readable

FAR = 1100  # select(2) takes those below 1024


def test_descriptors_beyond_what_select_takes() -> None:
    ours, theirs = socket.socketpair()
    far = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, FAR)
    try:
        assert readable([far], 0) == set()
        theirs.send(b"x")
        assert readable([far], 1) == {far}
    finally:
        os.close(far)
        ours.close()
        theirs.close()


def test_room_to_write_ends_the_wait_and_is_nothing_to_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert readable([ours.fileno()], 60, [ours.fileno()]) == set()


def test_an_end_can_be_read() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert readable([ours.fileno()], 60) == {ours.fileno()}
