"""The uplink against a real gRPC server that comes, goes and stays silent."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.collector_double import CollectorDouble

from chaperone.agent.deliver.outbox import Limits, Outbox
from chaperone.agent.deliver.route import route
from chaperone.agent.deliver.uplink import Cargo, Uplink
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import StreamId
from chaperone.proto.records import Chunk, Direction


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorDouble]:
    double = CollectorDouble(tmp_path / "collector.sock")
    yield double
    double.stop()


def uplink_to(collector: CollectorDouble, outbox: Outbox) -> Uplink:
    uplink = Uplink(f"unix:{collector.socket}", wire.Hello(contract=1, agent="a", boot_id="b"), Cargo(outbox))
    uplink.start()
    return uplink


def send(outbox: Outbox, *numbers: int) -> None:
    for number in numbers:
        outbox.put(Chunk(StreamId("s"), Direction.OUT, number, b"x", number))
        outbox.flush()


def positions(collector: CollectorDouble) -> list[int]:
    return [record.position for record in collector.records() if isinstance(record, Chunk)]


def test_batches_arrive_once_in_order_and_are_confirmed(collector: CollectorDouble) -> None:
    collector.start()
    outbox = Outbox(Limits())
    uplink = uplink_to(collector, outbox)
    send(outbox, *range(100))
    assert uplink.finish(10) is True
    assert positions(collector) == list(range(100))
    assert (collector.received, outbox.unacknowledged()) == (100, (0, 0))
    assert collector.hellos[0].boot_id == "b"


def test_a_collector_that_comes_later_gets_everything(collector: CollectorDouble) -> None:
    outbox = Outbox(Limits())
    uplink = uplink_to(collector, outbox)
    send(outbox, 0, 1, 2)
    time.sleep(0.3)
    assert uplink.trouble
    collector.start()
    assert uplink.finish(10) is True
    assert positions(collector) == [0, 1, 2]


def test_after_a_restart_of_the_collector_only_unconfirmed_batches_come_again(collector: CollectorDouble) -> None:
    collector.start()
    outbox = Outbox(Limits())
    uplink = uplink_to(collector, outbox)
    send(outbox, 0, 1)
    assert outbox.wait_empty(10)
    collector.stop()
    send(outbox, 2, 3)
    collector.start()
    assert uplink.finish(10) is True
    assert positions(collector) == [0, 1, 2, 3]
    assert (collector.received, collector.conflicts) == (4, [])


def test_unconfirmed_batches_are_sent_again_with_the_same_content(collector: CollectorDouble) -> None:
    collector.acknowledges = False
    collector.start()
    outbox = Outbox(Limits())
    uplink = uplink_to(collector, outbox)
    send(outbox, 0, 1)
    wait_until(lambda: collector.received == 2)
    collector.stop()
    collector.acknowledges = True
    send(outbox, 2)
    collector.batches.clear()
    collector.start()
    assert uplink.finish(10) is True
    assert (positions(collector), collector.conflicts) == ([0, 1, 2], [])


def test_without_any_collector_finish_gives_up_in_time_and_says_so(collector: CollectorDouble) -> None:
    outbox = Outbox(Limits())
    uplink = uplink_to(collector, outbox)
    send(outbox, 0)
    began = time.monotonic()
    assert uplink.finish(0.5) is False
    assert time.monotonic() - began < 5
    assert outbox.unacknowledged()[0] == 1
    assert "can't be reached" in uplink.trouble


def test_a_collector_that_refuses_is_quoted(collector: CollectorDouble) -> None:
    collector.refusal = "the disk is full"
    collector.start()
    outbox = Outbox(Limits())
    uplink = uplink_to(collector, outbox)
    send(outbox, 0)
    wait_until(lambda: uplink.is_refused)
    assert (uplink.finish(0.1), uplink.trouble) == (False, "the disk is full")


def test_no_thread_stays_behind(collector: CollectorDouble) -> None:
    collector.start()
    uplink = uplink_to(collector, Outbox(Limits()))
    uplink.finish(5)
    assert "uplink" not in [thread.name for thread in threading.enumerate()]


def wait_until(condition: "object", timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_certificate_that_is_not_there_is_named_and_looked_for_again(tmp_path: Path) -> None:
    uplink = Uplink("127.0.0.1:1", wire.Hello(contract=1, agent="a"), Cargo(Outbox(Limits())), tmp_path)
    uplink.start()
    deadline = time.monotonic() + 20
    while "certificate" not in uplink.trouble and time.monotonic() < deadline:
        time.sleep(0.01)
    assert uplink.trouble == f"the certificate to show to the collector can't be read: {tmp_path}/ca.crt: No such file or directory"
    uplink.finish(0)


def test_which_pods_are_governed_is_passed_on(collector: CollectorDouble) -> None:
    one, other = wire.Selection(selectors=[wire.PodSelector(mode="record")]), wire.Selection()
    collector.welcome.selection.CopyFrom(one)
    collector.answers = [wire.Downward(settings=wire.Settings(batch_bytes=1000)), wire.Downward(settings=wire.Settings(selection=other))]
    collector.start()
    told: list[wire.Selection] = []
    outbox = Outbox(Limits())
    uplink = Uplink(f"unix:{collector.socket}", wire.Hello(contract=1, agent="a"), Cargo(outbox, on_selection=told.append))
    uplink.start()
    send(outbox, 0)
    assert uplink.finish(10) is True
    assert told == [one, other]


def test_of_several_collectors_one_is_called_as_long_as_it_answers_then_the_next(tmp_path: Path) -> None:
    doubles = {f"unix:{tmp_path}/{name}": CollectorDouble(tmp_path / name) for name in ("one", "other")}
    for double in doubles.values():
        double.start()
    outbox = Outbox(Limits())
    targets = ",".join(doubles)
    first, second = (doubles[stop.target] for stop in route(targets.split(","), "b"))
    uplink = Uplink(targets, wire.Hello(contract=1, agent="a", boot_id="b"), Cargo(outbox))
    uplink.start()
    send(outbox, 0, 1)
    assert outbox.wait_empty(10)
    assert (positions(first), second.hellos) == ([0, 1], [])
    first.stop()
    second.batches = dict(first.batches)  # as a store that both share
    send(outbox, 2)
    assert uplink.finish(10) is True
    assert positions(second) == [0, 1, 2]
    assert second.hellos[0].call > first.hellos[0].call == 1
    second.stop()
