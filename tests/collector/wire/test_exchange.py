from typing import Any

import msgpack

from chaperone.collector.wire.events import (
    Ambiguous,
    Data,
    End,
    Event,
    Lost,
    Message,
    Protocol,
    Request,
    Reset,
    Response,
    Trailers,
    Unreadable,
    Upgraded,
)
from chaperone.collector.wire.exchange import GAP_LIMIT, OPEN_LIMIT, Exchanges, Gap, Phase
from chaperone.proto.records import Direction

OUT, IN = Direction.OUT, Direction.IN
REQUEST = Request(100, 1, Protocol.HTTP2, "GET", "/api", "x", (("a", "b"), (None, "c")), 50)
RESPONSE = Response(100, 300, 5, 200, (("d", "e"),), 40)
OUT_END = End(100, OUT, 150, 2)
IN_END = End(100, IN, 400, 9, True, 9)


def data(direction: Direction, position: int, content: bytes, time: int = 3) -> Data:
    return Data(100, direction, position, time, content, len(content) + 9)


def phases(events: list[Event], exchanges: Exchanges | None = None) -> list[str]:
    return [report.phase.name for report in (exchanges or Exchanges()).add(events)]


def test_each_phase_is_reported_once_with_its_version() -> None:
    exchanges = Exchanges()
    reports = exchanges.add([REQUEST, OUT_END])
    reports += exchanges.add([RESPONSE, data(IN, 349, b"abc")])
    reports += exchanges.add([data(IN, 352, b"def"), IN_END])
    assert [(report.phase.name, report.at) for report in reports] == [
        ("REQUEST", 150),
        ("RESPONSE", 340),
        ("STREAM", 150 + 352),
        ("END", 400),
    ]
    end = reports[-1]
    assert (end.started, end.requested, end.answered, end.ended, end.complete) == (1, 2, 5, 9, True)
    assert (end.bytes_out, end.bytes_in) == (50, 40 + 12 + 12 + 9)
    assert (end.request, end.response) == (REQUEST, RESPONSE)
    assert exchanges.close(10) == []


def test_all_in_one_feed_is_a_report_for_each_phase() -> None:
    assert phases([REQUEST, OUT_END, RESPONSE, data(IN, 349, b"abc"), IN_END]) == ["REQUEST", "RESPONSE", "END"]


def test_what_only_one_side_says_makes_a_version_of_its_own() -> None:
    exchanges = Exchanges()
    exchanges.add([REQUEST, OUT_END, RESPONSE, Upgraded(100, 340, 5, "websocket")])
    said = [
        Message(100, OUT, 150, 6, False, b"\0a", size=8),
        Message(100, OUT, 158, 6, False, b"\0b", size=8),
        Message(100, IN, 340, 7, False, b"\1c", size=4),
        Lost(100, IN, 344, 10, 8),
    ]
    versions = [(report.phase, report.at) for event in said for report in exchanges.add([event])]
    assert versions == [(Phase.STREAM, 498), (Phase.STREAM, 506), (Phase.STREAM, 510), (Phase.STREAM, 520)]


def test_request_bytes_flow_on_before_the_request_is_complete() -> None:
    exchanges = Exchanges()
    first, second = data(OUT, 159, b"abc"), data(OUT, 162, b"def")
    (report,) = exchanges.add([REQUEST, first])
    assert (report.phase, report.news, report.at) == (Phase.OPEN, (first,), 162)
    (report,) = exchanges.add([second, End(100, OUT, 165, 4)])
    assert (report.phase, report.at) == (Phase.REQUEST, 165)
    assert report.news == (second, End(100, OUT, 165, 4))


def test_news_are_everything_since_the_last_report_in_order() -> None:
    trailers = Trailers(100, IN, 390, 8, (), 10)
    reports = Exchanges().add([REQUEST, OUT_END, RESPONSE, data(IN, 349, b"a"), trailers, IN_END])
    assert [report.news for report in reports] == [(OUT_END,), (), (data(IN, 349, b"a"), trailers, IN_END)]


def test_an_interim_answer_is_no_answer() -> None:
    reports = Exchanges().add([REQUEST, OUT_END, Response(100, 200, 3, 100, (), 25)])
    assert [(report.phase.name, report.response, report.bytes_in) for report in reports] == [("REQUEST", None, 0)]


def test_an_early_answer_is_not_taken_back_by_the_end_of_the_request() -> None:
    assert phases([REQUEST, RESPONSE, OUT_END, IN_END]) == ["RESPONSE", "END"]


def test_a_clients_cancel_behind_the_answer_is_a_normal_end() -> None:
    cancel = Reset(100, OUT, 150, 9, 8, 13)
    assert Exchanges().add([REQUEST, OUT_END, RESPONSE, cancel])[-1].complete
    assert not Exchanges().add([REQUEST, OUT_END, cancel])[-1].complete
    assert not Exchanges().add([REQUEST, OUT_END, RESPONSE, Reset(100, OUT, 150, 9, 2, 13)])[-1].complete


def test_a_servers_reset_is_normal_only_behind_its_whole_answer() -> None:
    done = Reset(100, IN, 400, 9, 0, 13)
    assert Exchanges().add([REQUEST, RESPONSE, IN_END, done])[-1].complete
    assert not Exchanges().add([REQUEST, OUT_END, RESPONSE, done])[-1].complete


def test_what_was_cut_off_is_incomplete() -> None:
    (*_, end) = Exchanges().add([REQUEST, OUT_END, RESPONSE, End(100, IN, 350, 9, False)])
    assert (end.phase, end.complete) == (Phase.END, False)


def test_what_is_open_at_the_close_ends_incomplete() -> None:
    exchanges = Exchanges()
    exchanges.add([REQUEST, OUT_END])
    (end,) = exchanges.close(77)
    assert (end.phase, end.complete, end.ended) == (Phase.END, False, 77)
    assert exchanges.close(78) == []


def test_gaps_and_doubts_stay_with_their_exchange() -> None:
    lost, doubt = Lost(100, IN, 350, 7, 6, "ring full"), Ambiguous(100, OUT, 100, 1, "two readers")
    (*_, end) = Exchanges().add([REQUEST, doubt, doubt, OUT_END, RESPONSE, lost, IN_END])
    assert (end.complete, end.gaps, end.ambiguous) == (False, (Gap("in", 350, 7, "ring full"),), ("two readers",))
    assert lost in end.news


def test_a_gap_of_the_stream_touches_what_is_open_in_its_direction() -> None:
    exchanges = Exchanges()
    exchanges.add([REQUEST, OUT_END, RESPONSE])
    assert exchanges.add([Lost(None, OUT, 150, 7, 6, "x")]) == []
    unreadable = Unreadable(None, IN, 350, 6, "no frame")
    assert [report.news for report in exchanges.add([unreadable])] == [(unreadable,)]
    (end,) = exchanges.add([IN_END])
    assert (end.complete, end.gaps) == (False, (Gap("in", 350, 0, "no frame"),))


def test_gaps_are_bounded() -> None:
    lost = [Lost(100, IN, 350 + at, 1, 6, "x") for at in range(GAP_LIMIT * 3)]
    (*_, end) = Exchanges().add([REQUEST, OUT_END, *lost, IN_END])
    assert len(end.gaps) == GAP_LIMIT + 1
    assert end.gaps[-1].reason == f"more than {GAP_LIMIT} gaps"


def test_open_exchanges_are_bounded_and_the_oldest_ends() -> None:
    exchanges = Exchanges()
    requests: list[Event] = [Request(at, 1, Protocol.HTTP1, "GET", "/", "x", ()) for at in range(OPEN_LIMIT + 1)]
    first = next(report for report in exchanges.add(requests) if report.phase == Phase.END)
    assert (first.position, first.complete) == (0, False)
    assert first.gaps[0].reason == f"more than {OPEN_LIMIT} exchanges open"


def test_an_upgrade_ends_when_both_directions_have_ended_again() -> None:
    exchanges = Exchanges()
    upgraded = Upgraded(100, 340, 5, "websocket", "v5.channel.k8s.io")
    answer = Response(100, 300, 5, 101, (), 40)
    reports = exchanges.add([REQUEST, OUT_END, answer, upgraded])
    assert [report.phase.name for report in reports] == ["REQUEST", "RESPONSE"]
    assert (reports[1].upgraded, reports[1].at) == (upgraded, 340)
    message = Message(100, IN, 340, 6, False, b"\x01hi", size=5)
    (stream,) = exchanges.add([message])
    assert (stream.phase, stream.news, stream.bytes_in) == (Phase.STREAM, (message,), 45)
    assert phases([End(100, OUT, 150, 9), End(100, IN, 345, 9)], exchanges) == ["END"]


def test_events_of_an_exchange_that_is_over_are_nothing_new() -> None:
    exchanges = Exchanges()
    exchanges.add([REQUEST, OUT_END, RESPONSE, IN_END])
    assert exchanges.add([data(IN, 500, b"late")]) == []


def test_open_exchanges_go_on_from_a_mark() -> None:
    before: list[Any] = [REQUEST, Ambiguous(100, OUT, 1, 1, "why"), OUT_END, RESPONSE, Lost(100, IN, 350, 7, 6, "x")]
    exchanges = Exchanges()
    exchanges.add(before)
    restored = Exchanges.restore(msgpack.unpackb(msgpack.packb(exchanges.mark())))
    assert restored.add([IN_END]) == exchanges.add([IN_END])
    upgraded = Exchanges()
    upgraded.add([REQUEST, OUT_END, Response(100, 300, 5, 101, (), 40), Upgraded(100, 340, 5, "x")])
    restored = Exchanges.restore(msgpack.unpackb(msgpack.packb(upgraded.mark())))
    assert restored.close(9) == upgraded.close(9)


def test_unknown_header_fields_are_a_gap_and_no_hole_in_the_body() -> None:
    unknown = Lost(100, IN, 300, 0, 5, "2 header fields whose table was joined late")
    (*_, end) = Exchanges().add([REQUEST, OUT_END, RESPONSE, unknown, IN_END])
    assert (end.complete, end.gaps[0].size) == (False, 0)
    assert unknown not in end.news
