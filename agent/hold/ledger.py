"""What of each TLS object's bytes may leave, for the second lock (bpf/lock.c): in the kernel's `released`, before it does.

An object's name there is its process and address, which may be another's next: what may leave is counted on. An object whose socket is
not known yet shares one account with all such of its workload.
"""

from collections import deque
from dataclasses import dataclass

from chaperone.agent.hold.lane import NEVER
from chaperone.agent.hold.layout import Object, Released, Spent
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import StreamKey

LINGER_NS = 60_000_000_000  # what an object that is gone wrote may wait in its socket
UNLIMITED = 2**62
UNHELD = NEVER // 2  # a position from here on is none: what the kernel's lack was taken off


@dataclass(slots=True)
class _Account:
    """Of one object. `before`: of earlier ones of that name; `reach`: its position up to which calls were decided about; `gained`: bytes
    that left beyond those written, or below 0 that did not; `ties`: how often objects of that name had been tied when this one began;
    `floor`: what has left, and was on its way, when it came to be held again."""

    before: int = 0
    reach: int = 0
    gained: int = 0
    pooled: int = 0
    ties: int = 0
    unlimited: bool = False
    floor: int = 0
    closed: int = 0  # when; 0: it goes on

    @property
    def decided(self) -> int:
        """All in all."""
        return self.before + self.reach + self.gained

    @property
    def bytes(self) -> int:
        """That may leave."""
        return UNLIMITED if self.unlimited else max(0, self.decided, self.floor)


Name = tuple[int, int]


class Ledger:
    """Of one workload, whose cgroup has the id `group`. For one thread. `covers`: whether TLS without a known object may not leave."""

    def __init__(self, kernel: Kernel, group: int, covers: bool) -> None:
        self._kernel, self._group, self._covers = kernel, group, covers
        self._accounts: dict[Name, _Account] = {}
        self._closed: deque[tuple[int, Name]] = deque()
        self._pool = 0

    def begin(self, key: StreamKey) -> None:
        """A new object of that name: nothing of it is decided."""
        before = self._accounts.get(_name(key))
        spent = self._spent(Object(key.handle, key.pid))
        left = spent.bytes if before is None or before.unlimited else before.bytes
        self._accounts[_name(key)] = _Account(left, ties=spent.ties)

    def leaves(self, key: StreamKey, end: int, gained: int = 0) -> None:
        """Its calls up to this position of the kernel's are decided: they leave, and `gained` bytes beyond them (below 0: less)."""
        account = self._accounts.setdefault(_name(key), _Account())
        before = account.decided
        account.reach = max(account.reach, end)
        account.gained += gained
        self._store(key, account, account.decided - before)

    def free(self, key: StreamKey) -> None:
        """It is held no more."""
        account = self._accounts.setdefault(_name(key), _Account())
        if not account.unlimited:
            account.unlimited = True
            self._store(key, account, 0)

    def is_free(self, key: StreamKey) -> bool:
        """Whether all of it may leave."""
        account = self._accounts.get(_name(key))
        return account is not None and account.unlimited

    def hold_again(self, key: StreamKey, reach: int, queued: int) -> None:
        """It is held once more. Its calls up to this position were not, and so many bytes beyond those that have left are on their way."""
        account = self._accounts[_name(key)]
        account.unlimited, account.reach = False, max(account.reach, reach)
        account.floor = self._spent(Object(key.handle, key.pid)).bytes + queued if queued else 0
        self._store(key, account, 0)

    def unheld(self, key: StreamKey, position: int) -> None:
        """Up to this position its calls are not held."""
        if position >= UNHELD:
            self.free(key)
        elif position:
            self.leaves(key, position)

    def end(self, key: StreamKey, now: int) -> None:
        """The object is gone. What it wrote may still be under way."""
        if account := self._accounts.get(_name(key)):
            account.closed = now
            self._closed.append((now, _name(key)))
        while self._closed and now - self._closed[0][0] > LINGER_NS:
            closed, name = self._closed.popleft()
            if (old := self._accounts.get(name)) and old.closed == closed:
                del self._accounts[name]
                for table in ("released", "spent"):
                    self._kernel.remove(table, Object(name[1], name[0]))

    def _store(self, key: StreamKey, account: _Account, more: int) -> None:
        name = Object(key.handle, key.pid)
        if self._covers and self._spent(name).ties == account.ties:
            account.pooled += more
            self._pool += more
            self._kernel.store("released", Released(max(0, self._pool)), Object(self._group))
        self._kernel.store("released", Released(account.bytes, max(0, account.pooled)), name)

    def _spent(self, name: Object) -> Spent:
        """What has left. One tie more: the kernel saw a first record of the object leave, so that it spends by itself."""
        return self._kernel.entry("spent", Spent, name) or Spent()


def _name(key: StreamKey) -> Name:
    return key.pid, key.handle
