from chaperone.collector.wire.compose.frames import Flag, Frame, Kind
from chaperone.collector.wire.compose.window import INITIAL, Window


def _update(number: int, size: int) -> Frame:
    return Frame(0, 4, Kind.WINDOW_UPDATE, 0, number, size.to_bytes(4, "big"))


def _settings(identifier: int, value: int, flags: int = 0) -> Frame:
    return Frame(0, 6, Kind.SETTINGS, flags, 0, identifier.to_bytes(2, "big") + value.to_bytes(4, "big"))


def _opened() -> Window:
    window = Window()
    window.opened(1)
    return window


def _waits(window: Window, gathered: int) -> bool:
    """Whether the client may never send more on h2 stream 1."""
    return window.is_full(gathered) or window.is_shut(1)


def test_the_last_byte_of_the_initial_window_shuts_it() -> None:
    window = _opened()
    window.sent(1, INITIAL - 1)
    assert not _waits(window, 0)
    window.sent(1, 1)
    assert _waits(window, 0)


def test_both_windows_must_be_opened() -> None:
    window = _opened()
    window.sent(1, INITIAL)
    window.received(_update(0, 10))
    assert _waits(window, INITIAL)
    window.received(_update(1, 10))
    assert not _waits(window, INITIAL)


def test_what_has_left_on_other_h2_streams_is_given_back() -> None:
    window = _opened()
    window.received(_settings(4, 10 * INITIAL))
    window.opened(3)
    window.sent(3, INITIAL)
    assert not _waits(window, INITIAL // 2), "the connection's window is empty for the moment"
    assert _waits(window, INITIAL // 2 + 1), "what has left may be too little for the server to give it back"


def test_what_is_gathered_is_not() -> None:
    window = _opened()
    window.received(_settings(4, 10 * INITIAL))
    window.received(_update(0, 1000))
    window.sent(1, INITIAL + 999)
    assert not _waits(window, INITIAL + 999)
    window.sent(1, 1)
    assert _waits(window, INITIAL + 1000)
    window.credited(5)
    assert not _waits(window, INITIAL + 1000)


def test_a_setting_changes_open_windows_too_and_an_ack_none() -> None:
    window = _opened()
    window.received(_update(0, 1 << 20))
    window.received(_settings(4, 5, Flag.ACK))
    window.received(_settings(3, 5))
    window.sent(1, 100)
    assert not _waits(window, 0)
    window.received(_settings(4, 100))
    assert _waits(window, 0)
    window.received(_settings(4, 101))
    assert not _waits(window, 0)


def test_torn_settings_are_no_settings() -> None:
    window = _opened()
    window.received(Frame(0, 7, Kind.SETTINGS, 0, 0, b"\0\3\0\0\0\1\0"))
    window.received(Frame(0, 5, Kind.WINDOW_UPDATE, 0, 0, b"\0\0\0\0\0"))
    assert not _waits(window, 0)


def test_what_is_over_is_forgotten() -> None:
    window = _opened()
    window.sent(1, 5)
    window.over(1)
    window.received(_update(1, 5))
    assert not _waits(window, 0)
