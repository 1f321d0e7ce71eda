from support.asking import OPENING, block

from chaperone.collector.wire.compose.requests2 import REFUSED_LIMIT, WITHDRAWN, Http2Requests
from chaperone.collector.wire.compose.units import FAR, FREE, Asked, Unit
from chaperone.proto.refusals import Refusal, frame

HEAD = block(b"block", 1, 1, ends=False)


def _fed(*pieces: bytes) -> Http2Requests:
    requests = Http2Requests()
    for piece in (OPENING, *pieces):
        requests.feed(piece)
    requests.leave(len(OPENING))
    return requests


def test_what_opens_a_connection_belongs_to_no_request() -> None:
    requests = Http2Requests()
    requests.feed(OPENING)
    assert [(unit.key, unit.overtakes) for unit in requests.units] == [(FREE, False), (FREE, False), (FREE, True)]
    assert requests.units[0] == Unit(0, 24) and requests.end == requests.border == len(OPENING) and not requests.asked()


def test_a_request_is_asked_about_once_its_header_block_is_here() -> None:
    key, whole = len(OPENING), block(b"a longer block", 1, 2, ends=True)
    requests = _fed(whole[:-1])
    assert not requests.asked() and requests.units[0].end == key + len(whole)
    assert _fed(whole[: len(whole) // 2]).units[0].end == FAR
    requests.feed(whole[-1:])
    assert requests.asked() == [Asked(key, True, len(whole), 1)]
    assert requests.units == [Unit(key, key + len(whole), key, 1, "http2-malformed", block=True)]


def test_it_is_whole_with_the_last_byte_of_its_last_frame() -> None:
    last = frame(0, 1, 1, b"body")
    requests = _fed(HEAD, frame(0, 0, 1, b"some"), last[:-1])
    assert [each.whole for each in requests.asked()] == [False]
    requests.feed(last[-1:])
    assert [each.whole for each in requests.asked()] == [True]


def test_frames_know_their_request_and_data_its_credit() -> None:
    key = len(OPENING)
    requests = _fed(HEAD, frame(0, 0, 1, b"body"), frame(8, 0, 1, b"\0\0\0\1"), frame(6, 0, 0, b"12345678"), frame(7, 0, 0, b"12345678"))
    assert [(unit.key, unit.overtakes, unit.credit) for unit in requests.units[1:]] == [
        (key, True, 4),
        (key, True, 0),
        (FREE, True, 0),
        (FREE, False, 0),
    ]


def test_a_request_that_is_given_up_is_asked_about_no_more() -> None:
    requests = _fed(HEAD, frame(3, 0, 1, b"\0\0\0\x08"))
    assert not requests.asked() and requests.rulings[len(OPENING)] == WITHDRAWN


def test_what_may_go_and_is_over_is_forgotten_and_later_frames_are_free() -> None:
    requests = _fed(block(b"block", 1, 1, ends=True))
    requests.rule(len(OPENING), None)
    requests.leave(requests.end)
    requests.settle()
    requests.feed(frame(8, 0, 1, b"\0\0\0\1"))
    assert requests.rulings == {FREE: None} and requests.units[0].key == FREE


def test_later_frames_of_what_was_refused_are_known_for_long() -> None:
    requests = _fed(*(block(b"block", 2 * at + 1, 1, ends=True) for at in range(REFUSED_LIMIT + 1)))
    keys = [each.key for each in requests.asked()]
    for key in keys:
        requests.rule(key, Refusal("id"))
    requests.leave(requests.end)
    requests.settle()
    requests.feed(frame(8, 0, 1, b"\0\0\0\1") + frame(8, 0, 3, b"\0\0\0\1"))
    assert [unit.key for unit in requests.units] == [FREE, keys[1]]


def test_a_refused_request_whose_body_goes_on_is_never_forgotten() -> None:
    requests = _fed(HEAD, *(block(b"block", 2 * at + 3, 1, ends=True) for at in range(REFUSED_LIMIT + 1)))
    for each in requests.asked():
        requests.rule(each.key, Refusal("id"))
    requests.leave(requests.end)
    requests.settle()
    requests.feed(frame(0, 1, 1, b"body"))
    assert requests.units[0].key == len(OPENING)


def test_the_window_counts_what_the_client_wrote() -> None:
    requests = _fed(HEAD, *[frame(0, 0, 1, b"x" * 16_384)] * 3, frame(0, 0, 1, b"x" * 16_382))
    assert not requests.window.is_shut(1)
    requests.feed(frame(0, 0, 1, b"x"))
    assert requests.window.is_shut(1)
