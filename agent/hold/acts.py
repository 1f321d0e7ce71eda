"""The orders carried out on a held, stopped thread, in the tracer's thread. What they may name is checked in lane.py.

Each act returns what is to be said of it, and the bytes that leave or are delivered. OrderError: nothing was done.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace

from chaperone.agent.ending.ends import kill_group
from chaperone.agent.gate import memory
from chaperone.agent.hold import edits
from chaperone.agent.hold.arena import Arena
from chaperone.agent.hold.disconnect import Sockets
from chaperone.agent.hold.lane import Lane, OrderError, Unfinished
from chaperone.agent.hold.layout import HeldRecord
from chaperone.agent.hold.orders import Name, Order, Target
from chaperone.agent.hold.waiting import Waiting, World
from chaperone.agent.trace.values import Site
from chaperone.proto.ids import StreamId
from chaperone.proto.records import SHUT, Direction

Done = tuple[str, bytes]
RECORD = 16384  # bytes; RFC 8446 §5.1


class Acts:
    """What can be done about one held call. `announce` tells the kernel what of a stream is held from now on. `lanes`: the workload's."""

    def __init__(self, world: World, announce: Callable[[Lane], None], sockets: Sockets, lanes: Mapping[StreamId, Lane]) -> None:
        self.world, self.announce, self.sockets, self._lanes = world, announce, sockets, lanes
        self._arena = Arena()

    def perform(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        """Do what an order says."""
        return _ACTS[order.name](self, raw, waiting, order)

    def finish(self, raw: HeldRecord, lane: Lane) -> None:
        """At the return of a replaced write: what is left is written before its caller goes on, who then reads its own length."""
        if lane.unfinished is None:
            return
        write = lane.unfinished = replace(lane.unfinished, done=lane.unfinished.done + raw.size, is_called=True)
        if write.done < write.size:
            edits.repeat(raw, write.buffer, len(write.offered))
        else:
            edits.report(raw, len(write.offered))
            lane.unfinished = None

    def pay(self, raw: HeldRecord, lane: Lane) -> None:
        """At a read's entry: it returns at once with what is owed."""
        data = lane.owed[: raw.call.size]
        memory.write(raw.key.pid, raw.call.buffer, data)
        lane.owed = lane.owed[len(data) :]
        self.announce(lane)
        raw.call.sent = len(data)  # nothing of it came from the server: the return counts nothing
        edits.skip(raw, len(data), self._exit(raw))

    def _pass(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        if waiting.held.direction is Direction.OUT and waiting.data:
            waiting.lane.passed = waiting.position, waiting.data
        return "", waiting.data

    def _skip(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        _only(waiting, Site.WRITE)
        waiting.lane.keep(Direction.OUT, waiting.position, waiting.data)
        edits.skip(raw, waiting.held.size, self._exit(raw))
        return "", b""

    def _write(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        _only(waiting, Site.WRITE)
        lane = waiting.lane
        if waiting.record is None and lane.unfinished is not None:
            lane.unfinished = replace(lane.unfinished, is_called=False)
            self._send(raw, lane.unfinished)
            return "", b""
        lane.keep(Direction.OUT, waiting.position, waiting.data)
        data = order.free or lane.composed(Direction.OUT, order.pieces)
        if data == waiting.data:
            return self._pass(raw, waiting, order)
        if data:
            lane.unfinished = self._placed(raw, waiting, data)
            self._send(raw, lane.unfinished)
        else:
            edits.skip(raw, waiting.held.size, self._exit(raw))
        return "", data

    def _placed(self, raw: HeldRecord, waiting: Waiting, data: bytes) -> Unfinished:
        """The kernel reads what was offered when all was accepted. With GnuTLS a program may put something else there before that, unless
        all is one record, which the kernel copies in time."""
        offered, buffer = waiting.data, waiting.held.buffer
        busy = [lane.unfinished.space for lane in self._lanes.values() if lane.unfinished and lane.key.pid == raw.head.pid]
        if waiting.held.tls.library != "gnutls" or max(len(data), len(offered)) <= RECORD:
            return Unfinished(waiting.position, offered, buffer, self._arena.put(raw, data, busy), buffer, len(data))
        address = self._arena.put(raw, data + offered, busy)
        return Unfinished(waiting.position, offered, buffer, address, address + len(data), len(data))

    def _send(self, raw: HeldRecord, write: Unfinished) -> None:
        """Have the call write what is left of it; its return is held unless the caller's length is right by itself."""
        left = write.size - write.done
        raw.call.sent, raw.call.size, raw.call.buffer = left, len(write.offered), write.copy
        edits.substitute(raw, write.address + write.done, left)

    def _answer(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        _only(waiting, Site.READ)
        lane = waiting.lane
        lane.keep(Direction.IN, waiting.position, waiting.data)
        data = order.free or lane.composed(Direction.IN, order.pieces)
        if data:
            lane.owed = data[raw.call.size :]
            edits.answer(raw, data[: raw.call.size])
            self.announce(lane)
        else:
            edits.again(raw)
        return "", data

    def _again(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        _only(waiting, Site.READ)
        waiting.lane.keep(Direction.IN, waiting.position, waiting.data)
        edits.again(raw)
        return "", b""

    def _kill(self, raw: HeldRecord, waiting: Waiting, order: Order) -> Done:
        if order.target is Target.PROCESS:
            os.kill(waiting.held.tls.pid, signal.SIGKILL)
        elif order.target is Target.WORKLOAD:
            kill_group(self.world.cgroup)
        else:
            return self._disconnect(raw, waiting), b""
        return str(order.target), b""

    def _disconnect(self, raw: HeldRecord, waiting: Waiting) -> str:
        """This call and each later one of the stream fails, and the socket is shut down."""
        was_dead, waiting.lane.dead, waiting.lane.positions = waiting.lane.dead, True, [0, 0]
        self.announce(waiting.lane)
        if waiting.held.site is Site.READ:
            edits.wipe(raw)
            edits.report(raw, 0)
        else:
            edits.fail(raw, self._exit(raw))
        trouble = "" if was_dead else self.sockets.shut(raw.head.pid, raw.call.handle)
        return f"{SHUT}: {trouble}" if trouble else SHUT

    def _exit(self, raw: HeldRecord) -> int:
        return self.world.exit_of(raw.key.pid, raw.call.ip) if edits.is_go(raw) else 0


_ACTS: dict[Name, Callable[[Acts, HeldRecord, Waiting, Order], Done]] = {
    Name.PASS: Acts._pass,
    Name.SKIP: Acts._skip,
    Name.WRITE: Acts._write,
    Name.ANSWER: Acts._answer,
    Name.AGAIN: Acts._again,
    Name.KILL: Acts._kill,
}


def _only(waiting: Waiting, site: Site) -> None:
    if waiting.held.site is not site:
        raise OrderError("an order for the other direction")
