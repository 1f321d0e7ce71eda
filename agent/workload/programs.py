"""Probes for programs nobody named beforehand: whatever code a governed process has mapped is looked into, each file once.

A young process is looked at a few times from its exec on, so that the gate (agent/gate) seldom has to stop it: once its
mappings were looked into, its connects cost nothing until it maps more code.

Bounded, since a workload can start programs and make files without end: what is not looked at any more is counted.
"""

import errno
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from chaperone.agent.closing import Closer
from chaperone.agent.trace.files import Identity, identity_of
from chaperone.agent.workload.image import Image
from chaperone.agent.workload.mapped import code_pages, mapped, mount_of, opened_process, own_mounts, reopened

LOOKS_S = (0.0, 0.02, 0.1, 0.4, 1.5, 5.0)  # after the exec: a loader takes milliseconds, an interpreter's import seconds
YOUNG_LIMIT = 16384  # processes that are looked at again
GONE = (errno.ENOENT, errno.ESRCH)


class Young(NamedTuple):
    """A look that is to come. `seen`: pages of code at the look before."""

    due: float
    image: Image
    turn: int
    seen: int = 0


class Programs:
    """Looks into what governed processes run. `knows` takes an image and a file that it has mapped; `attach` takes an open descriptor of
    one that is not known, and says whether that was all there is to do about it; `mark` takes an image and the pages of code that were
    known, unless one of them is to be looked into again; `keep` takes an image and a handle of each file that it has mapped.

    `missed`: what there was no room for, by workload, until that ends; `failed`: all of it.
    """

    def __init__(
        self,
        attach: Callable[[Image, int], bool],
        knows: Callable[[Image, Identity], bool],
        mark: Callable[[Image, int], None],
        keep: Callable[[Image, int], None],
        closer: Closer,
    ) -> None:
        self.attach, self.knows, self.mark, self.keep = attach, knows, mark, keep
        self.closer, self.missed, self.failed = closer, Counter[int](), 0
        self._looks: tuple[deque[Young], ...] = tuple(deque() for _ in LOOKS_S)  # by turn: each in the order of `due`
        self._young = 0

    def executed(self, image: Image) -> None:
        """A governed process runs another program: it is to be looked at now, and again while it is young."""
        if self._young >= YOUNG_LIMIT:
            self._miss(image)
            return
        self._young += 1
        self._looks[0].append(Young(time.monotonic(), image, 0))

    def due_s(self) -> float:
        """Seconds until the next look, 0 if one is due."""
        return max(0.0, min((looks[0].due for looks in self._looks if looks), default=float("inf")) - time.monotonic())

    def look_due(self) -> None:
        """Take the next look whose time has come, if any."""
        now = time.monotonic()
        for looks in self._looks:
            if looks and looks[0].due <= now:
                self._again(looks.popleft())
                return

    def look(self, image: Image, seen: int = 0) -> int:
        """Look into what a process has mapped now, unless that still are `seen` pages. Pages of code; 0 if it is gone."""
        try:
            with opened_process(image.pid, image.started) as folder:
                code = code_pages(folder)
                if code and code != seen and self._look_into(image, folder):
                    self.mark(image, code)
                return code
        except OSError as error:
            if error.errno not in GONE and not isinstance(error, ProcessLookupError):
                self._miss(image)
            return 0

    def _miss(self, image: Image) -> None:
        self.missed[image.workload] += 1
        self.failed += 1

    def _again(self, young: Young) -> None:
        code, following = self.look(young.image, young.seen), young.turn + 1
        if not code or following >= len(LOOKS_S):
            self._young -= 1
            return
        pause = LOOKS_S[following] - LOOKS_S[young.turn]
        self._looks[following].append(Young(young.due + pause, young.image, following, code))

    def _look_into(self, image: Image, folder: int) -> bool:
        mounts: frozenset[int] | None = None
        is_done = True
        for descriptor in mapped(folder, self.closer):
            self.keep(image, descriptor)
            if self.knows(image, identity_of(descriptor)):
                continue
            mounts = own_mounts(folder) if mounts is None else mounts
            if mount_of(descriptor) in mounts:
                with reopened(descriptor) as readable:
                    is_done &= self.attach(image, readable)
        return is_done
