"""Real TLS clients, held at their calls and given orders by the test in the collector's place."""

import sys
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from support import other_tracer
from support.enforced import ALLOWING, DENYING, client, enforced, until

from chaperone.agent.hold.holds import SPENT
from chaperone.agent.hold.lane import NEVER
from chaperone.agent.hold.orders import Name, Order, Target
from chaperone.agent.hold.room import TOO_MANY_BYTES, TOO_MANY_CALLS, Room
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Direction, Hold, Record

pytestmark = pytest.mark.kernel
ASK = 'tls.sendall(b"0 5\\n"); print(len(tls.recv(5)), flush=True)'
SECOND = 1_000_000_000


def test_a_write_waits_and_goes_on(tracer, server):
    with enforced(tracer) as it:
        _, said = it.run(client(server, ASK))
        assert said == "5\n"
        assert [(hold.direction, hold.position, hold.size, hold.data) for hold in it.asked] == [(Direction.OUT, 0, 4, b"0 5\n")]
        assert it.outcomes() == ["pass"]
        assert it.recorded(Direction.OUT) == b"0 5\n"


def test_a_late_one_is_seized_in_its_stop(tracer, server):
    with enforced(tracer) as it:
        _, said = it.run(client(server, ASK + "\n" + ASK), seized=False)
        assert said == "5\n5\n" and it.outcomes() == ["pass", "pass"]


def test_nothing_leaves_before_its_order(tracer, server):
    asked = []

    def decide(hold: Hold) -> Order:
        time.sleep(0.3)
        asked.append([one.out for one in server.conversations])
        return Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        it.run(client(server, ASK), decide)
        assert asked == [[b""]]


def test_what_was_done_is_told_before_the_thread_goes_on(tracer, server):
    """Else its connection may end, and be counted, before anybody knows what left in the place of its bytes."""
    kept: list[bool] = []
    with enforced(tracer) as it:

        def say(outcome: Record) -> None:
            it.said.append(outcome)
            kept.append(bool(it.holds.seizer.kept))

        it.holds.world = replace(it.holds.world, say=say)
        it.run(client(server, ASK))
    assert kept == [True]


def test_the_order_about_a_call_that_got_away_is_for_no_other(tracer, server):
    """Who takes our signal away (SIGCONT in a loop) writes something harmless that way, and then something else that stops."""
    seen = []
    with enforced(tracer) as it:
        first, told = [], it.holds.told

        def decide(hold: Hold) -> Order:
            first.extend(replace(waiting, held=replace(waiting.held, time=waiting.held.time - 1)) for waiting in it.holds.waiting.values())
            seen.append([one.out for one in server.conversations])
            return Order(hold.hold, Name.PASS)

        def say(outcome: Record) -> None:
            if not it.said:
                it.holds.waiting[first[0].held.tid] = replace(first[0], order=Order("", Name.PASS))
            it.said.append(outcome)

        def late(*held: Any) -> Hold | None:
            time.sleep(0.3)  # it has stopped, and nobody was told of it
            return told(*held)

        it.holds.world, it.holds.told = replace(it.holds.world, say=say), late
        _, said = it.run(client(server, ASK + "\n" + ASK), decide)
    assert said == "5\n5\n" and seen == [[b""], [b"0 5\n"]]
    assert it.outcomes() == ["pass", "gone", "pass"]


@pytest.mark.parametrize("terms", [ALLOWING, DENYING])
def test_without_an_order_the_policy_counts(tracer, server, terms):
    with enforced(tracer, replace(terms, verdict_timeout=SECOND // 5)) as it:
        status, said = it.run(client(server, ASK), lambda _hold: None)
        if terms.denies:
            assert status and "5" not in said.split() and [one.out for one in server.conversations] == [b""]
            assert it.outcomes() == ["timeout-deny"]
        else:
            assert said == "5\n" and it.outcomes() == ["timeout-allow"]


def test_what_was_gathered_leaves_first_when_the_policy_allows(tracer, server):
    program = 'tls.sendall(b"0 "); tls.sendall(b"5\\n"); print(len(tls.recv(5)), flush=True)'
    with enforced(tracer, replace(ALLOWING, verdict_timeout=SECOND // 5)) as it:
        _, said = it.run(client(server, program), lambda hold: None if hold.position else Order(hold.hold, Name.SKIP))
        assert said == "5\n" and it.outcomes() == ["skip", "timeout-allow"]


def test_after_three_time_outs_nobody_waits_but_one_a_second(tracer, server):
    connect = "tls = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='127.0.0.1')\n"
    program = (ASK + "\n" + connect) * 8 + ASK
    with enforced(tracer, replace(ALLOWING, verdict_timeout=SECOND // 2)) as it:
        _, said = it.run(client(server, program), lambda _hold: None)
        assert said == "5\n" * 9 and it.outcomes() == ["timeout-allow"] * 9
        assert it.holds.patience.is_lost(it.asked[-1].time)
        gone = [outcome.time - hold.time for hold, outcome in zip(it.asked, it.said, strict=True)]
        assert all(time_ > SECOND // 2 for time_ in gone[:3])
        assert sum(time_ < SECOND // 2 for time_ in gone) >= 3 and sum(gone) < 9 * SECOND // 2


MANY = """
import threading
connections = [context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="127.0.0.1")
               for _ in range(5)]
def ask(one):
    try:
        one.sendall(b"40000 5\\n" + bytes(40000))
        one.settimeout(60)
        said.append("answered" if one.recv(5) else "ended")
    except OSError: said.append("ended")
said, threads = [], [threading.Thread(target=ask, args=[one]) for one in connections]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*sorted(said), flush=True)
"""


@pytest.mark.parametrize("terms", [ALLOWING, DENYING])
@pytest.mark.parametrize(("limits", "lack"), [((100_000, 100), TOO_MANY_BYTES), ((1 << 30, 2), TOO_MANY_CALLS)])
def test_for_what_there_is_no_room_the_policy_counts_at_once(tracer, server, terms, limits, lack):
    """Five calls of 40 kB wait at once, of which two have room: the bytes of the others are not even read."""
    kept = []

    def decide(hold: Hold) -> None:
        kept.append(sum(len(waiting.data) for waiting in it.holds.waiting.values()))

    def say(outcome: Record) -> None:
        it.said.append(outcome)
        if len(it.said) == 3:
            waiting = [hold.hold for hold in it.asked if hold.data]
            it.holds.seizer.later(lambda: [it.holds.order(Order(hold, Name.PASS)) for hold in waiting])

    with enforced(tracer, replace(terms, verdict_timeout=60 * SECOND)) as it:
        it.holds.world = replace(it.holds.world, say=say)
        it.holds.room = Room(tracer.kernel, *limits)
        _, said = it.run(client(server, MANY), decide)
    ours = "timeout-deny" if terms.denies else "timeout-allow"
    assert sorted(it.outcomes()) == ["pass"] * 2 + [ours] * 3
    assert {(outcome.order, outcome.result, outcome.gained) for outcome in it.said} == {("pass", "", 0), (ours, lack, 0)}
    assert max(kept) == 2 * 40_008 and sorted(len(hold.data) for hold in it.asked) == [0] * 3 + [40_008] * 2
    assert set(it.regrets) == {f"{lack}: onFailure counted at once"}
    assert said.split() == (["answered"] * 2 + ["ended"] * 3 if terms.denies else ["answered"] * 5)


@pytest.mark.parametrize("size", [40_000, 9 << 20])
def test_what_was_gathered_and_what_there_is_no_room_for_leave_together_or_not_at_all(tracer, server, size):
    """Where the policy allows; what is more than a call may have (8 MiB) is not read even then."""
    program = f"""
try:
    tls.sendall(b"{size} "); tls.send(b"5\\n" + bytes({size})); print(len(tls.recv(5)), flush=True)
except OSError: print("ended", flush=True)
"""
    with enforced(tracer, replace(ALLOWING, verdict_timeout=60 * SECOND)) as it:
        it.holds.room = Room(tracer.kernel, 20_000)
        _, said = it.run(client(server, program), lambda hold: None if hold.position else Order(hold.hold, Name.SKIP))
    if size == 40_000:
        assert (said, it.outcomes(), server.finished()[0][0]) == ("5\n", ["skip", "timeout-allow"], b"40000 5\n" + bytes(size))
    else:
        assert (said, it.outcomes(), server.finished()[0][0]) == ("ended\n", ["skip", "timeout-deny"], b"")


@pytest.mark.parametrize("terms", [ALLOWING, DENYING])
def test_who_floods_itself_with_signals_waits_and_is_still_decided_on(tracer, server, tmp_path, terms):
    """It asks until it was held while its tracer rests. Its calls are not left to onFailure for that."""
    met = tmp_path / "met"
    program = f"""
import os, pathlib, signal, time
parent = os.getpid()
for _ in range(2):
    if not os.fork():
        signal.signal(signal.SIGUSR2, lambda *_: None)
        while os.getppid() == parent: os.kill(os.getpid(), signal.SIGUSR2)
        os._exit(0)
while not pathlib.Path({str(met)!r}).exists():
    tls.sendall(b"0 5\\n")
    assert len(tls.recv(5)) == 5
    time.sleep(0.05)
print("answered", flush=True)
"""
    left = []

    def decide(hold: Hold) -> Order:
        if it.holds.seizer.is_resting:
            met.touch()
        left.append(len(server.conversations[0].out))
        return Order(hold.hold, Name.PASS)

    with enforced(tracer, terms, share=0.005) as it:
        _, said = it.run(client(server, program), decide)
    assert (said, set(it.outcomes()), set(it.regrets)) == ("answered\n", {"pass"}, {SPENT})
    assert left == [4 * count for count in range(len(left))]


def test_what_is_said_to_another_workload_waits_for_nobody_here(tracer, server):
    is_over = threading.Event()
    with enforced(tracer) as it:
        it.holds.seizer.later(lambda: is_over.wait(30))
        began = time.monotonic()
        assert not it.holds.order(Order("stream/out/0/1", Name.PASS))
        it.holds.hold_from(StreamId("stream"), Direction.IN, 0)
        it.holds.look()
        assert time.monotonic() - began < 30
        is_over.set()


def test_a_look_that_was_not_done_yet_is_asked_for_once(tracer, server):
    """Else what others ask of a tracer that is slow waits behind ever more of them."""
    looks = []

    def decide(hold: Hold) -> Order:
        is_over = threading.Event()
        until(lambda: not it.holds.seizer.call(lambda: it.holds._is_looking))
        it.holds._overdue = lambda: looks.append(hold.hold)
        it.holds.seizer.later(lambda: is_over.wait(30))
        for _ in range(5):
            it.holds.look()
        is_over.set()
        it.holds.seizer.call(lambda: None)
        del it.holds._overdue
        return Order(hold.hold, Name.PASS)

    with enforced(tracer) as it:
        it.run(client(server, ASK), decide)
        assert len(looks) == 1


def test_a_stream_that_went_on_unheld_is_held_again_from_a_position_on(tracer, server, tmp_path):
    again = tmp_path / "again"
    program = f"""
import pathlib, time
{ASK}
{ASK}
while not pathlib.Path({str(again)!r}).exists(): time.sleep(0.01)
{ASK}
"""

    def decide(hold: Hold) -> Order:
        it.holds.hold_from(hold.stream, Direction.OUT, hold.position or NEVER)
        return Order(hold.hold, Name.PASS)

    def hold_again() -> None:
        until(lambda: it.recorded(Direction.OUT) == b"0 5\n" * 2)
        it.holds.hold_from(it.asked[0].stream, Direction.OUT, 8)
        again.touch()

    with enforced(tracer) as it:
        holding = threading.Thread(target=hold_again)
        holding.start()
        _, said = it.run(client(server, program), decide)
        holding.join()
    assert said == "5\n" * 3 and [hold.position for hold in it.asked] == [0, 8]


@pytest.mark.parametrize("terms", [ALLOWING, DENYING])
def test_a_hold_may_wait_for_longer_but_not_for_ever(tracer, server, terms):
    """And it never leaves because somebody who was asked took too long."""

    def decide(hold: Hold) -> Order:
        return Order(hold.hold, Name.WAIT, until=hold.time + 60 * SECOND)

    with enforced(tracer, replace(terms, verdict_timeout=SECOND // 5, hold_limit=SECOND)) as it:
        it.run(client(server, ASK), decide)
        assert [one.out for one in server.conversations] == [b""]
        assert it.outcomes() == ["timeout-deny"]
        assert it.said[0].time - it.asked[0].time > SECOND


@pytest.mark.parametrize("target", [Target.PROCESS, Target.WORKLOAD])
def test_a_killed_one_sends_nothing(tracer, server, target):
    with enforced(tracer) as it:
        status, said = it.run(client(server, ASK), lambda hold: Order(hold.hold, Name.KILL, target=target))
        assert status == 137 and "5" not in said.split()
        assert [one.out for one in server.conversations] == [b""]
        assert it.outcomes() == ["kill"]


def test_a_killed_connection_sends_nothing_from_then_on(tracer, server):
    program = """
for _ in range(3):
    try:
        tls.sendall(b"0 5\\n")
        print("sent")
    except OSError as error:
        print("refused", flush=True)
"""
    with enforced(tracer) as it:
        status, said = it.run(client(server, program), lambda hold: Order(hold.hold, Name.KILL))
        assert (status, said) == (0, "refused\n" * 3) and it.outcomes() == ["kill"]
        assert [one.out for one in server.conversations] == [b""]


def test_a_stream_of_which_a_part_is_kept_ends_with_its_enforcement(tracer, server, tmp_path):
    gone = tmp_path / "gone"
    program = f"""
import pathlib, time
tls.sendall(b"0 ")
while not pathlib.Path({str(gone)!r}).exists(): time.sleep(0.01)
try:
    tls.sendall(b"5\\n"); print(len(tls.recv(5)))
except OSError:
    print("reset")
"""

    def end() -> None:
        until(lambda: it.outcomes() == ["skip"])
        tracer.enforce(it.workload, None)
        it.holds.close()
        gone.touch()

    with enforced(tracer) as it:
        ending = threading.Thread(target=end)
        ending.start()
        status, said = it.run(client(server, program), lambda hold: Order(hold.hold, Name.SKIP))
        ending.join()
        assert (status, said) == (0, "reset\n") and server.finished()[0][0] == b""


@pytest.mark.parametrize("terms", [ALLOWING, DENYING])
def test_one_that_a_debugger_has_is_not_held_but_allowed_or_ended(tracer, server, terms):
    command = [sys.executable, other_tracer.__file__, *client(server, "sys.stdin.readline()\n" + ASK)]
    with enforced(tracer, terms) as it:
        _, said = it.run(command, seized=False)
        assert it.outcomes() == ["timeout-deny" if terms.denies else "timeout-allow"]
        assert it.said[0].result == "its process cannot be traced"
        assert said == ("" if terms.denies else "5\n")
        assert server.finished()[0][0] == (b"" if terms.denies else b"0 5\n")


@pytest.mark.parametrize("first", [None, Name.SKIP])
def test_what_may_pass_leaves_at_once_with_what_was_gathered(tracer, server, tmp_path, first):
    """The first write waits for its order, or is gathered, when everything may pass; the second one comes later; the third when nobody is
    enforced."""
    go = tmp_path / "go"
    program = f"""
import pathlib, time
def when(name):
    while not pathlib.Path({str(go)!r} + name).exists(): time.sleep(0.01)
tls.sendall(b"0 ")
when("1")
tls.sendall(b"5\\n"); print(len(tls.recv(5)), flush=True)
when("2")
tls.sendall(b"0 6\\n"); print(len(tls.recv(6)), flush=True)
"""

    def pass_all() -> None:
        until(lambda: bool(it.asked) and (first is None or it.outcomes() == ["skip"]))
        it.holds.let_pass()
        go.with_name("go1").touch()
        until(lambda: bool(server.conversations) and server.conversations[0].out == b"0 5\n")
        until(it.holds.is_quiet)
        tracer.enforce(it.workload, None)
        it.holds.close()
        go.with_name("go2").touch()

    with enforced(tracer, DENYING) as it:
        passing = threading.Thread(target=pass_all)
        passing.start()
        status, said = it.run(client(server, program), lambda hold: Order(hold.hold, first) if first else None)
        passing.join()
        assert (status, said) == (0, "5\n6\n") and len(it.asked) == 1
        assert it.outcomes() == [str(first)] if first else ["timeout-allow"]
        assert it.recorded(Direction.OUT) == b"0 5\n0 6\n"


def test_an_answer_that_was_to_be_replaced_is_read_by_nobody(tracer, server):
    """Its program would take what the server says to a harmless request for the answer to its own."""
    program = ASK.replace("; print", "\ntry: print").replace(", flush=True)", ")\nexcept OSError: print('refused')")

    def decide(hold: Hold) -> Order | None:
        if hold.direction is Direction.IN:
            ended.append(hold)
            closing = threading.Thread(target=lambda: (it.holds.let_pass(), it.holds.close()))
            closing.start()
            return None
        it.holds.hold_from(hold.stream, Direction.IN, 0)
        return Order(hold.hold, Name.PASS)

    ended: list[Hold] = []
    with enforced(tracer) as it:
        _, said = it.run(client(server, program), decide)
        assert ended and "5" not in said.split(), said
