from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.masking import make_call, make_piece, on

from chaperone.collector.kube.call import Piece
from chaperone.collector.mask import pieces as module
from chaperone.collector.mask.masked import MaskedPiece
from chaperone.collector.mask.masker import Masker
from chaperone.collector.wire.exchange import Phase

SECRET = b"Zq7xWv3pLm9k"
OUTPUT = b"$ env\nHOME=/root\nDB_PASSWORD=" + SECRET + b"\nmysql -p" + SECRET + b"\nbye"


def stream(masker: Masker, reports: Iterable[tuple[Piece, ...]], position: int = 0) -> list[MaskedPiece]:
    call = make_call(info=on("pods", "exec"), position=position, phase=Phase.STREAM)
    found = [piece for pieces in reports for piece in masker.call(replace(call, pieces=pieces)).pieces]
    return found + list(masker.call(replace(call, phase=Phase.END)).pieces)


def text(pieces: Iterable[MaskedPiece], channel: str = "stdout") -> bytes:
    return b"".join(piece.body.data for piece in pieces if piece.channel == channel)


@given(st.lists(st.integers(0, len(OUTPUT)), max_size=8), st.booleans())
@settings(max_examples=80, deadline=None)
def test_no_secret_survives_however_the_output_is_cut_and_reported(cuts: list[int], together: bool) -> None:
    borders = sorted({0, *cuts, len(OUTPUT)})
    pieces = [make_piece(OUTPUT[a:b], position=a) for a, b in pairwise(borders)]
    shown = stream(Masker(b"k"), [tuple(pieces)] if together else [(piece,) for piece in pieces])
    assert SECRET not in text(shown)
    assert text(shown).startswith(b"$ env\nHOME=/root\nDB_PASSWORD=~masked-12-")
    assert text(shown).endswith(b"~\nbye")
    assert sum(piece.body.size for piece in shown) == len(OUTPUT)


def test_pieces_keep_their_position_time_and_size() -> None:
    shown = stream(Masker(b"k"), [(make_piece(b"one\ntw", position=5),), (make_piece(b"o\n", position=11),)])
    assert [(piece.position, piece.time, piece.body.size, piece.body.data) for piece in shown] == [
        (5, 5, 6, b"one\n"),
        (11, 11, 2, b"two\n"),
    ]


def test_what_was_held_back_comes_with_the_end_in_a_piece_of_size_zero() -> None:
    *_, last = stream(Masker(b"k"), [(make_piece(b"one\n$ ", position=5),)])
    assert (last.position, last.time, last.body.size, last.body.data, last.channel) == (11, 5, 0, b"$ ", "stdout")


def test_channels_and_calls_do_not_mix() -> None:
    masker = Masker(b"k")
    first = make_call(info=on("pods", "exec"), position=0, phase=Phase.STREAM, pieces=(make_piece(b"pass"), make_piece(b"word=", "stderr")))
    second = replace(first, position=900, pieces=(make_piece(b"word=abc\n"),))
    masker.call(first)
    assert text(masker.call(second).pieces) == b"word=abc\n"


def test_what_is_typed_after_a_prompt_is_masked() -> None:
    prompt, answer = make_piece(b"Password for bob: "), [make_piece(bytes([byte]), "stdin") for byte in b"hunter2\r"]
    shown = stream(Masker(b"k"), [(prompt,), *((key,) for key in answer), (make_piece(b"ls\r", "stdin"),)])
    assert b"hunter2" not in text(shown, "stdin")
    assert text(shown, "stdin").endswith(b"\rls\r")


def test_an_event_is_masked_as_an_object_of_its_own() -> None:
    event = replace(make_piece(b""), channel="event")
    assert [piece.channel for piece in stream(Masker(b"k"), [(event,)])] == ["event"]


def test_open_calls_and_channels_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALLS", 3)
    monkeypatch.setattr(module, "MOST_CHANNELS", 2)
    masker = Masker(b"k")
    for position in range(10):
        ports = tuple(make_piece(b"x" * position, f"port/80/{number}") for number in range(5))
        shown = masker.call(make_call(position=position, phase=Phase.STREAM, pieces=ports)).pieces
        assert text(shown, "port/80/0") == b"x" * position
    assert len(masker._pieces._open) <= 3
    assert all(len(opened.tails) <= 2 for opened in masker._pieces._open.values())


def test_nothing_is_remembered_of_a_call_that_ended() -> None:
    masker = Masker(b"k")
    stream(masker, [(make_piece(b"$ "),)])
    assert masker._pieces._open == {}
