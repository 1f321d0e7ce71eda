import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.wire import resync
from chaperone.collector.wire.intake import Intake


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HBBBL", len(payload) >> 8, len(payload) & 255, kind, flags, stream) + payload


FRAMES = frame(1, 4, 5, b"\x88") + frame(0, 0, 5, b"body") + frame(0, 1, 5)


@given(st.binary(max_size=300).filter(lambda data: 0 not in data))
def test_three_frame_headers_in_a_row_are_found(before: bytes) -> None:
    offset, _ = resync.http2_frame(memoryview(before + FRAMES))
    assert offset == len(before)


def test_two_frame_headers_are_not_enough_yet() -> None:
    assert resync.http2_frame(memoryview(frame(0, 0, 5, b"body") + frame(0, 1, 5))) == (-1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        frame(0, 0, 0, b"x"),
        frame(0, 0, 4),
        frame(0, 2, 5),
        frame(4, 0, 1),
        frame(6, 0, 0, b"short"),
        frame(8, 0, 0),
        frame(5, 4, 1, b"xxxx"),
    ],
)
def test_a_frame_that_cannot_be_is_no_evidence(wrong: bytes) -> None:
    assert resync.http2_frame(memoryview(wrong + frame(0, 1, 5) + frame(0, 1, 7)))[0] != 0


def test_a_request_line_needs_a_field_line_behind_it() -> None:
    line = b"GET /api HTTP/1.1\r\n"
    assert resync.http1_request(memoryview(b"tail of a body" + line + b"Host: x\r\n"))[0] == 14
    assert resync.http1_request(memoryview(line + b"no field here\r\n"))[0] == -1
    assert resync.http1_request(memoryview(line + b"Host: x"))[0] == -1


def test_a_status_line_is_found_behind_a_body() -> None:
    assert resync.http1_response(memoryview(b"{}HTTP/1.1 200 OK\r\nDate: x\r\n"))[0] == 2


def test_advance_drops_what_surely_is_no_boundary() -> None:
    intake = Intake()
    intake.add(0, b"x" * 100_000, 1)
    assert not resync.advance(intake, resync.http1_request)
    assert intake.held < 20_000
    intake.add(intake.end, b"GET / HTTP/1.1\r\nHost: x\r\n", 2)
    assert resync.advance(intake, resync.http1_request)
    assert intake.position == 100_000


def test_searching_is_linear_in_bytes_that_look_like_frames() -> None:
    began = time.process_time()
    for noise in (b"\0" * 400_000, b"\0\0\0\0\1" * 80_000, b"GET /" * 80_000):
        for search in (resync.http2_frame, resync.http1_request):
            search(memoryview(noise))
    assert time.process_time() - began < 10


def test_a_settings_header_is_known() -> None:
    assert resync.is_settings(frame(4, 0, 0, b"123456")[:9])
    assert not resync.is_settings(b"HTTP/1.1 ")
