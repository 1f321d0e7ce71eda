"""Threads that wait at a TLS call, and the orders about them: one of these per enforced workload.

All state but `sockets` belongs to who has the seizer's turn: its thread, or what asks nothing of ptrace. A hold is told by the kernel's
ring (main thread) and by the thread's stop (seizer), in either order; its order comes from the collector. When order and stop are there it
is carried out, once; the outcome is said. A hold without an order by its deadline gets what the policy says for that.

Each of these changes the same few tables, which is why they are in one file.

A write may come again after OpenSSL's WANT_WRITE, or in part: what was decided about its bytes is done again, unasked.
"""

import contextlib
import ctypes
import hashlib
import logging
import os
import signal
from collections import deque
from collections.abc import Iterator

from chaperone.agent.ending.ends import socket_reset
from chaperone.agent.gate import memory
from chaperone.agent.gate.layout import Thread
from chaperone.agent.hold import pending, ptrace
from chaperone.agent.hold.acts import Acts
from chaperone.agent.hold.allowance import SHARE
from chaperone.agent.hold.disconnect import Sockets
from chaperone.agent.hold.lane import NEVER, Lane, OrderError
from chaperone.agent.hold.layout import HeldRecord, HoldFrom, Pending
from chaperone.agent.hold.ledger import UNHELD, Ledger
from chaperone.agent.hold.marks import mark_of, unmark
from chaperone.agent.hold.orders import Name, Order
from chaperone.agent.hold.patience import Patience
from chaperone.agent.hold.ptrace import FOLLOW, Kind, Option, Stop
from chaperone.agent.hold.room import Room
from chaperone.agent.hold.seizer import Seizer
from chaperone.agent.hold.terms import Terms
from chaperone.agent.hold.underway import under_way
from chaperone.agent.hold.waiting import Waiting, World
from chaperone.agent.sockets.values import SocketDenied, SocketValue
from chaperone.agent.trace.governed import group_id
from chaperone.agent.trace.layout import StreamKey
from chaperone.agent.trace.values import Site, TlsHeld
from chaperone.agent.workload.processes import members, now_ns, tracer_of
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold, Outcome

LOG = logging.getLogger("chaperone.agent.hold")
DATA_LIMIT = 8 << 20  # bytes of one held call
PASSED_NS = 1_000_000_000  # a thread whose gate was opened stops within that
SIGNALLED_NS = 40_000_000
RESUMED_NS = 950_000_000  # a thread that is let go runs, and writes, within that on a busy machine
SILENCE_NS = 5_000_000_000
MISSED_NS = 5_000_000_000
LOOKED_AT = 32  # held threads at once: what is asked of their tracer meanwhile waits for that
REPLACING = (Name.SKIP, Name.WRITE)  # the program believes all of it to have left
AS_IT_SAYS = "what it sends is allowed or ended, as onFailure says"
TRACED = f"a process that another tracer has (a debugger) cannot be held: {AS_IT_SAYS}"
UNTRACEABLE = f"nothing can be held, since the kernel lets nobody trace (Yama's ptrace_scope 3, SELinux's deny_ptrace): {AS_IT_SAYS}"
SPENT = "its processes get more signals, or start more processes, than one tracer has time for: now and then they wait for half a second"
REFUSED, ALLOWED = "timeout-deny", "timeout-allow"  # in the place of an order: as onFailure says
ENTRIES = (Site.WRITE, Site.OWED)


class Holds:
    """The held threads of one workload. `share`: of a processor, what its tracer may take."""

    def __init__(self, world: World, terms: Terms, share: float = SHARE) -> None:
        self.world, self.terms = world, terms
        self.waiting: dict[int, Waiting] = {}
        self.lanes: dict[StreamId, Lane] = {}
        self.patience = Patience()
        self.room = Room(world.kernel)
        self.sockets = Sockets()
        self.acts = Acts(world, self._announce, self.sockets, self.lanes)
        self.ledger = Ledger(world.kernel, group_id(world.cgroup), terms.covers)
        self._by_key: dict[tuple[int, ...], Lane] = {}
        self._stopped: dict[int, HeldRecord] = {}
        self._at_gate: set[int] = set()
        self._passed_gate: dict[int, int] = {}
        self._signalled: dict[int, int] = {}
        self._is_answering, self._silent_since = True, now_ns()
        self._is_open = False
        self._is_looking, self._to_see = False, deque[int]()
        self.seizer = Seizer(self._is_ours, self._over, lambda: self.world.regret(SPENT), share)

    # -- from other threads

    def seize(self, pid: int) -> None:
        """Trace a process and all that come of it."""
        self.seizer.seize(pid)

    def told(self, held: TlsHeld, stream: StreamId, begin: int = 0) -> Hold | None:
        """A thread is held. What the collector is to be asked; None when that is decided. `begin`: positions before the kernel's first."""
        with self.seizer.turn:  # two changes of threads less than to ask it
            if held.tid in self.seizer.seized and not self._is_open:
                return self._told(held, stream, begin)
        return self.seizer.call(lambda: self._told(held, stream, begin))

    def order(self, order: Order) -> bool:
        """What to do about a hold; False when nothing waits under that name. Another workload's waits for nobody here."""
        return any(self._named(order.hold)) and self.seizer.call(lambda: self._order(order))

    def hold_from(self, stream: StreamId, direction: Direction, position: int) -> None:
        """Hold this direction from a position on."""
        if stream in self.lanes:
            self.seizer.call(lambda: self._hold_from(stream, direction, position))

    def saw(self, value: SocketValue) -> None:
        """What the kernel told of a socket. One that says no more is ended, so that nobody waits for it."""
        self.sockets.saw(value)
        if isinstance(value, SocketDenied):
            self.seizer.later(lambda: self._end_socket(value))

    def let_go(self, tid: int) -> None:
        """A thread that stopped at the gate may go on."""
        if tid in self.seizer.seized:
            self.seizer.later(lambda: self._pass_gate(tid))

    def let_pass(self) -> None:
        """Nothing more is held: what is written leaves unasked. What its program is to read in an answer's place is still waited for."""
        if self.seizer.is_alive():
            self.seizer.call(self._open)

    def is_quiet(self) -> bool:
        """Whether nothing that was begun before `let_pass` is under way."""
        return not self.seizer.is_alive() or self.seizer.call(self._is_quiet)

    def is_alive(self) -> bool:
        """Whether its thread has done what was asked of it a while ago: it does so between stops."""
        if self._is_answering:
            self._is_answering = False
            self.seizer.later(self._answer)
            self._silent_since = now_ns()
        return now_ns() - self._silent_since < SILENCE_NS

    def look(self) -> None:
        """Deal with those whose time is over. Cheap when nobody waits. Not asked of a tracer that rests, or has the last look to do."""
        if self.waiting and not self._is_looking and not self.seizer.is_resting:
            self._is_looking = True
            self.seizer.later(self._look)
        else:
            self.seizer.nudge()

    def closed(self, stream: StreamId) -> None:
        """The stream is over."""
        if stream in self.lanes:
            self.seizer.later(lambda: self._forget(stream))

    def close(self) -> None:
        """Let everybody go, as the policy says for those who wait."""
        if not self.seizer.is_alive():
            return
        self.seizer.call(self._fail_all)
        self.seizer.call(self._reset)
        if self._is_open:
            self.seizer.call(self._forget_all)
        self.seizer.close()  # who is at the gate goes on, too

    # -- in the seizer's thread: stops

    def _is_ours(self, stop: Stop) -> bool:
        """Whether a thread stops because of our probe: then the kernel's map names it."""
        if stop.number != signal.SIGSTOP and stop.kind is Kind.SIGNAL:
            return False
        raw = mark_of(self.world.kernel, stop.tid)
        if raw is None:
            return stop.kind is Kind.SIGNAL and self._is_at_gate(stop.tid)
        if self.terms.denies:
            ptrace.set_options(stop.tid, FOLLOW | Option.EXITKILL)
        self._stopped[stop.tid] = raw
        self.seizer.later(lambda: self._serve(stop.tid))
        return True

    def _is_at_gate(self, tid: int) -> bool:
        """Whether a SIGSTOP is bpf/gate.h's. Taken away, it stops nobody else. The gate may be through with it before it stops."""
        if self.world.kernel.entry("halted", Thread, Thread(tid)) is None:
            return False
        self.world.kernel.remove("halted", Thread(tid))
        if now_ns() - self._passed_gate.pop(tid, 0) > PASSED_NS:
            self._at_gate.add(tid)
        else:
            self.seizer.later(lambda: self.seizer.release(tid))
        return True

    def _pass_gate(self, tid: int) -> None:
        self.seizer.look_at(tid)  # it may have stopped while we rested
        if tid in self._at_gate:
            self._at_gate.discard(tid)
            self.seizer.release(tid)
        else:
            self._passed_gate[tid] = now_ns()

    def _is_quiet(self) -> bool:
        self.room.settle(self.lanes.values())
        return not self.waiting and not any(map(_is_under_way, self.lanes.values()))

    def _answer(self) -> None:
        self._is_answering = True

    def _over(self, tid: int) -> None:
        """The thread has ended: whoever gets its number next is not held."""
        self._stopped.pop(tid, None)
        self._at_gate.discard(tid)
        self._passed_gate.pop(tid, None)
        self._signalled.pop(tid, None)
        if waiting := self.waiting.pop(tid, None):
            self._say(waiting, "gone", "the thread ended while it was held")
        if raw := mark_of(self.world.kernel, tid):
            unmark(self.world.kernel, tid, raw.head.workload)

    # -- what is asked

    def _told(self, held: TlsHeld, stream: StreamId, begin: int) -> Hold | None:
        raw = mark_of(self.world.kernel, held.tid)
        if raw is None or raw.head.time != held.time:
            return None
        is_traced = self._late(held.tid)
        if held.site not in (Site.WRITE, Site.READ):
            return None
        if held.tid in self.waiting:
            self._got_away(held.tid)
        waiting = self._begun(held, stream, begin)
        if not is_traced:
            self._give_up(raw, waiting)
        elif waiting.order is not None or waiting.lack:
            self.seizer.later(lambda: self._serve(held.tid))
        return waiting.record

    def _begun(self, held: TlsHeld, stream: StreamId, begin: int) -> Waiting:
        lane = self._lane(held, stream, begin)
        if held.site is Site.WRITE:
            lane.accepted(begin + held.position)
        lack = self.room.lack(min(held.size, DATA_LIMIT), self.waiting.values(), self.lanes.values())
        data = _data(held) if not lack or lane.may_repeat(begin + held.position) else b""
        self.waiting[held.tid] = waiting = Waiting(held, stream, lane, data, now_ns() + self.terms.verdict_timeout)
        waiting.order = self._known(waiting)
        if lack or waiting.order is not None:
            waiting.lack, waiting.data = lack, data if waiting.order is not None and waiting.order.free else b""
        if waiting.order is None:
            self._ask(waiting)
        return waiting

    def _lane(self, held: TlsHeld, stream: StreamId, begin: int) -> Lane:
        if stream not in self.lanes:
            tls = held.tls
            self.lanes[stream] = lane = Lane(StreamKey(tls.started, tls.handle, tls.pid, tls.image), begin)
            self._by_key[_key(lane.key)] = lane
            self.ledger.begin(lane.key)
        return self.lanes[stream]

    def _ask(self, waiting: Waiting) -> None:
        """What is to be asked. Where something lacks it is told only, and decided here."""
        held = waiting.held
        name = f"{waiting.stream}/{held.direction.name.lower()}/{waiting.position}/{held.time}"
        waiting.record = Hold(name, waiting.stream, held.direction, waiting.position, held.size, held.time, waiting.data)
        if waiting.lack:
            self.world.regret(f"{waiting.lack}: onFailure counted at once")
        if waiting.lack or len(waiting.data) != held.size or self.patience.is_over(now_ns()):
            waiting.deadline = 0

    def _late(self, tid: int) -> bool:
        """One of a process that nobody seized is really stopped: seize it now. False: another tracer has it, or it is gone."""
        if tid in self.seizer.seized:
            return True
        try:
            self.seizer.late(tid)
        except (OSError, KeyError) as error:
            LOG.warning("thread %d is held and cannot be traced: %s", tid, type(error).__name__)
            return False
        return True

    def _give_up(self, raw: HeldRecord, waiting: Waiting) -> None:
        """A thread that cannot be traced: nothing can be replaced, so it goes on or it ends."""
        self.waiting.pop(raw.tid, None)
        self._unmark(raw)
        why = TRACED if _is_traced(raw.tid) else UNTRACEABLE
        if not self.terms.denies:  # before it goes on: the second lock ends what leaves too early
            self.ledger.leaves(waiting.lane.key, waiting.held.position + waiting.held.size)
        with contextlib.suppress(ProcessLookupError):
            os.kill(raw.head.pid, signal.SIGKILL if self.terms.denies else signal.SIGCONT)
        self.world.regret(why)
        name, moved = (REFUSED, b"") if self.terms.denies else (ALLOWED, waiting.data)
        self._say(waiting, name, "its process cannot be traced", moved)

    def _known(self, waiting: Waiting) -> Order | None:
        """The order about bytes that were decided before."""
        held, lane = waiting.held, waiting.lane
        if lane.dead:
            return Order("", Name.KILL)
        if held.site is Site.WRITE and lane.goes_on(waiting.position, waiting.data):
            return Order("", Name.WRITE)
        if held.site is Site.WRITE and (lane.free or lane.was_passed(waiting.position, waiting.data)):
            return Order("", Name.PASS)
        if held.site is Site.WRITE and self._is_open and not lane.is_replacing:
            return self._freed(waiting)
        return None

    # -- what is answered

    def _order(self, order: Order) -> bool:
        for tid, waiting in self._named(order.hold):
            if waiting.order is None and not waiting.lack:
                self._ordered(tid, waiting, order)
                return True
        return False

    def _named(self, hold: str) -> Iterator[tuple[int, Waiting]]:
        """Who was told of under that name. In any thread."""
        for tid, waiting in list(self.waiting.items()):
            if waiting.record is not None and waiting.record.hold == hold:
                yield tid, waiting

    def _ordered(self, tid: int, waiting: Waiting, order: Order) -> None:
        self.patience.answered()
        if order.name is Name.WAIT:
            waiting.deadline = min(order.until, waiting.held.time + self.terms.hold_limit)
            waiting.is_pending = True
        else:
            waiting.order = order
            self._serve(tid)

    def _serve(self, tid: int) -> None:
        """Carry out what can be: the thread has stopped, and it is known what to do."""
        raw, waiting = self._stopped.get(tid), self.waiting.get(tid)
        if raw is None or tid not in self.seizer.kept:
            return
        if raw.site in (Site.WRITE, Site.READ):
            if waiting is None or self._stop_of(tid) is not raw:
                return
            if waiting.order is not None:
                self._perform(raw, waiting, waiting.order)
            elif waiting.lack:
                self._fail(tid)
            return
        lane = self._by_key.get(_key(StreamKey(raw.head.started, raw.call.handle, raw.head.pid, raw.head.image)))
        if lane is not None:
            self.acts.finish(raw, lane) if raw.site == Site.WRITE_RETURN else self.acts.pay(raw, lane)
            self._mark(raw.tid, lane)
        self._let_go(raw)

    def _stop_of(self, tid: int) -> HeldRecord | None:
        """The stop of the very call that it waits at: one that got away before may have an order still, which is for no other call."""
        raw, waiting = self._stopped.get(tid), self.waiting[tid]
        return raw if raw is not None and tid in self.seizer.kept and raw.head.time == waiting.held.time else None

    def _perform(self, raw: HeldRecord, waiting: Waiting, order: Order, said: str = "") -> None:
        try:
            result, moved = self.acts.perform(raw, waiting, order)
            result, gained = waiting.lack or result, self._count(waiting, order, moved)
            waiting.lane.drop(waiting.held.direction, order.released)
        except ProcessLookupError:
            self.seizer.gone(raw.tid)
            return
        except (OrderError, OSError, LookupError) as error:
            LOG.warning("hold of thread %d: %s cannot be done: %s", raw.tid, order.name, error)
            said, result, moved, gained = said or "kill", f"{order.name} cannot be done: {type(error).__name__}", b"", 0
            self._end(raw, waiting)
        self.waiting.pop(raw.tid, None)
        self._mark(raw.tid, waiting.lane)
        self._say(waiting, said or order.name, result, moved, gained)  # what leaves is told before its connection can end
        self._let_go(raw)

    def _count(self, waiting: Waiting, order: Order, moved: bytes) -> int:
        """What the second lock is to let leave; by how much that is more than was written. A write that comes again was counted when it was
        decided about."""
        held = waiting.held
        if held.direction is not Direction.OUT or order.name is Name.KILL:
            return 0
        gained = len(moved) - held.size if waiting.record is not None and order.name in REPLACING else 0
        self.ledger.leaves(waiting.lane.key, held.position + held.size, gained)
        return gained

    def _mark(self, tid: int, lane: Lane) -> None:
        """Without us nobody could go on with what is kept of a stream: its process may not live on as if all had left, nor read what was
        meant for nobody."""
        is_between = (lane.is_between or lane.is_replacing) and not lane.dead
        if lane.writer and (lane.writer != tid or not is_between):
            self.seizer.mark(lane.writer, dies_with_us=False)
        lane.writer = tid if is_between else 0
        if is_between:
            self.seizer.mark(tid, dies_with_us=True)

    def _end(self, raw: HeldRecord, waiting: Waiting) -> None:
        with contextlib.suppress(OSError, LookupError):
            self.acts.perform(raw, waiting, Order("", Name.KILL))

    def _say(self, waiting: Waiting, name: str, result: str, moved: bytes = b"", gained: int = 0) -> None:
        """No digest where nothing moved, or nobody has read it."""
        if waiting.record is None:
            return
        digest = hashlib.blake2b(moved, digest_size=32).digest() if moved else b""
        self.world.say(Outcome(waiting.record.hold, name, now_ns(), result, digest, waiting.stream, gained))

    def _let_go(self, raw: HeldRecord) -> None:
        """The mark of a held call goes first: without it the call's return would be taken for an escape."""
        self._stopped.pop(raw.tid, None)
        self._unmark(raw)
        self.seizer.release(raw.tid)

    def _unmark(self, raw: HeldRecord) -> None:
        if raw.site in ENTRIES:
            raw.call.held = 0
            self.world.kernel.replace("calls", raw.call, raw.key)
        if raw.site == Site.WRITE:
            leaving = raw.call.sent or raw.call.size
            pending = Pending(raw.call.handle, leaving, now_ns() + RESUMED_NS, pid=raw.head.pid)
            self.world.kernel.store("writing", pending, ctypes.c_uint64(raw.task))
        unmark(self.world.kernel, raw.tid, raw.head.workload)

    # -- when nobody decides

    def _look(self) -> None:
        self._is_looking = False
        self._see_signals(now_ns())
        self._overdue()

    def _see_signals(self, now: int) -> None:
        """Of some each time: it costs two looks into /proc each."""
        self._to_see = self._to_see or deque(self.waiting)
        some = [self._to_see.popleft() for _ in range(min(LOOKED_AT, len(self._to_see)))]
        for tid in [tid for tid in some if tid in self.waiting and tid in self._stopped]:
            self._stop_too(tid)
            if self.waiting[tid].order is None and self._is_called_off(tid, now):
                self._call_off(tid)

    def _overdue(self) -> None:
        now = now_ns()
        for tid in [tid for tid, waiting in self.waiting.items() if waiting.order is None and waiting.deadline < now]:
            self._fail(tid)
        for tid in [tid for tid, waiting in self.waiting.items() if waiting.order is not None and self._stop_of(tid) is None]:
            self._miss(tid)

    def _is_called_off(self, tid: int, now: int) -> bool:
        """Whether a signal that would end its program waits for the end of the hold: no other thread has taken it for a while."""
        if self._stop_of(tid) is None or not pending.ending(tid):
            self._signalled.pop(tid, None)
            return False
        return now - self._signalled.setdefault(tid, now) > SIGNALLED_NS

    def _stop_too(self, tid: int) -> None:
        """Ctrl-Z: who is held is stopped as well, and still held afterwards."""
        if self.seizer.kept.get(tid) is Kind.SIGNAL and (number := pending.stopping(tid)):
            self.seizer.stop_too(tid, number)

    def _call_off(self, tid: int) -> None:
        """Ctrl-C and the like: nothing is sent, the call fails, and its program goes on to take its signal."""
        raw, waiting = self._stop_of(tid), self.waiting[tid]
        if raw is not None:
            self._perform(raw, waiting, Order("", Name.KILL), "gone")

    def _reset(self) -> None:
        """Nobody will go on with what is kept of a stream: it ends, with its process where its socket is not known."""
        for lane in self.lanes.values():
            is_lost = lane.is_between or (self._is_open and lane.is_replacing)
            if is_lost and not lane.dead and self.sockets.shut(lane.key.pid, lane.key.handle) and not self._is_open:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(lane.key.pid, signal.SIGKILL)

    def _fail_all(self) -> None:
        for tid in list(self.waiting):
            self._fail(tid)

    def _fail(self, tid: int) -> None:
        """What the policy says for a hold that nobody decided. Allowed: the whole stream goes on as its program wants. But what somebody
        is being asked about never leaves only because that took too long."""
        waiting, raw = self.waiting[tid], self._stop_of(tid)
        if raw is None:
            self._miss(tid)
            return
        if waiting.deadline:
            self.patience.failed(now_ns())
        if self.patience.is_lost(now_ns()):
            self.world.regret("the collector did not decide in time three times in a row: onFailure counted at once")
        is_refused = self.terms.denies or waiting.is_pending
        if self._is_open:
            is_refused = waiting.lane.is_replacing  # its program would read what was meant for nobody
        order = Order("", Name.KILL) if is_refused else self._freed(waiting)
        self._perform(raw, waiting, order, REFUSED if order.name is Name.KILL else ALLOWED)

    def _freed(self, waiting: Waiting) -> Order:
        """The whole stream goes on as its program wants; it ends where that cannot be."""
        order = self._all_of_it(waiting)
        if order.name is Name.KILL:
            return order
        waiting.lane.free = True
        for direction in Direction:
            self._hold_from(waiting.stream, direction, NEVER)
        return order

    def _open(self) -> None:
        self._is_open = True
        for waiting in self.waiting.values():
            if not waiting.lane.is_replacing:
                waiting.deadline = 0
        self._overdue()

    def _forget_all(self) -> None:
        """Who holds these streams next begins anew with them."""
        for raw in list(self._stopped.values()):
            self._let_go(raw)
        for lane in self.lanes.values():
            self.world.kernel.remove("hold_positions", lane.key)

    def _miss(self, tid: int) -> None:
        """It should have stopped long ago: somebody took our signal away. Its call's return is met by bpf/hold.h."""
        held = self.waiting[tid].held
        if now_ns() - held.time > MISSED_NS:
            self._got_away(tid)
            raw = mark_of(self.world.kernel, tid)
            if raw is not None and raw.head.time == held.time:
                unmark(self.world.kernel, tid, raw.head.workload)

    def _got_away(self, tid: int) -> None:
        self._say(self.waiting.pop(tid), "gone", "the thread did not stop")

    def _all_of_it(self, waiting: Waiting) -> Order:
        """What was gathered, and behind it what waits: both or nothing."""
        lane, held = waiting.lane, waiting.held
        if held.direction is Direction.IN or not lane.gathered(Direction.OUT):
            return Order("", Name.PASS)
        waiting.data = waiting.data or _data(held)
        try:
            lane.keep(Direction.OUT, waiting.position, waiting.data)
        except OrderError:
            return Order("", Name.KILL)
        if len(waiting.data) != held.size:
            return Order("", Name.KILL)
        lane.unfinished = None
        return Order("", Name.WRITE, free=lane.gathered(Direction.OUT), released=NEVER)

    # -- streams

    def _hold_from(self, stream: StreamId, direction: Direction, position: int) -> None:
        if (lane := self.lanes.get(stream)) is not None:
            lane.positions[direction] = position
            self._announce(lane)
            if lane.writer:
                self._mark(lane.writer, lane)

    def _announce(self, lane: Lane) -> None:
        """Tell the kernel what of a stream is held."""
        values = HoldFrom(owed=bool(lane.owed))
        values.positions[:] = [max(0, position - lane.begin) for position in lane.positions]
        self.ledger.unheld(lane.key, values.positions[Direction.OUT])
        self.world.kernel.store("hold_positions", values, lane.key)
        if self.ledger.is_free(lane.key) and lane.positions[Direction.OUT] < UNHELD:
            self._count_again(lane.key)

    def _count_again(self, key: StreamKey) -> None:
        """The second lock, too: what was let go of before, and no more. Not where that cannot be known."""
        if way := under_way(self.world.kernel, self.sockets, key):
            self.ledger.hold_again(key, way.reach, way.queued)

    def _forget(self, stream: StreamId) -> None:
        if lane := self.lanes.pop(stream, None):
            if lane.writer:
                self.seizer.mark(lane.writer, dies_with_us=False)
            self._by_key.pop(_key(lane.key), None)
            self.ledger.end(lane.key, now_ns())

    def _end_socket(self, denied: SocketDenied) -> None:
        with contextlib.suppress(OSError):
            LOG.warning("socket %d: the second lock keeps it silent: %s", denied.cookie, denied.why.name.lower())
            socket_reset(members(self.world.cgroup), denied.cookie)


def _is_traced(tid: int) -> bool:
    """Whether somebody has this thread; one that is gone was nobody's whom the kernel forbids to be traced."""
    try:
        return tracer_of(tid) != 0
    except ProcessLookupError:
        return True


def _is_under_way(lane: Lane) -> bool:
    return not lane.dead and (lane.is_between or lane.is_replacing or lane.unfinished is not None)


def _data(held: TlsHeld) -> bytes:
    """The bytes that wait; empty when they cannot be read, or are too many."""
    if held.size > DATA_LIMIT:
        return b""
    try:
        return memory.read(held.tls.pid, held.buffer, held.size)
    except OSError:
        return b""


def _key(key: StreamKey) -> tuple[int, ...]:
    return (key.started, key.handle, key.pid, key.image)
