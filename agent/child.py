"""A process of the agent's own that does one thing apart, and the socket to it, which is its stdin. It says nothing on stdout."""

import socket
import subprocess
import sys
from collections.abc import Sequence


class Child:
    """`python -m MODULE ARGUMENTS…`, with `descriptors` of ours. In a session of its own: a terminal's signals don't reach it."""

    def __init__(self, module: str, *arguments: str, descriptors: Sequence[int] = ()) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", module, *arguments]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, pass_fds=descriptors, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Its number, another's once it was ended."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Hang up, and kill it."""
        self.socket.close()
        self._process.kill()
        self._process.wait()


def word_of(agent: socket.socket, size: int) -> bytes:
    """In the child: the agent's next message; b"" when it is gone. One that was killed may have left unread what we told it: a reset."""
    try:
        return agent.recv(size)
    except ConnectionResetError:
        return b""
