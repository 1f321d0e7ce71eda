import random

import pytest
from support.masking import encodings

from chaperone.collector.mask import known as module
from chaperone.collector.mask.known import Known, Origin

ORIGIN = Origin("default/db:password", "call", 5)


def values(count: int, seed: int = 1) -> list[bytes]:
    dice = random.Random(seed)
    return [dice.randbytes(18).hex().encode() for _ in range(count)]


def knowing(found: list[bytes], origin: Origin = ORIGIN) -> Known:
    known = Known()
    for value in found:
        known.add(value, origin)
    return known


def test_every_value_is_found_however_it_came() -> None:
    known, wanted = Known(), values(300)
    for number, value in enumerate(wanted):
        known.add(value, ORIGIN)
        if number % 3 == 0:  # builds an automaton
            assert known.spans(b"-" + value) == [(1, 1 + len(value))]
    text = b" ".join(wanted)
    assert sorted(known.spans(text)) == [(n * 37, n * 37 + 36) for n in range(300)]


def test_every_form_leads_to_its_value_and_origin() -> None:
    value = b"Zq7+xWv/3pL&m9k>>>?Tb2r"
    known = knowing([value])
    for form in encodings(value):
        if form in known:
            [hit] = known.hits(form)
            assert known.value_of(form[hit.start : hit.stop]) == hit.value == value
    assert sum(form in known for form in encodings(value)) >= 8
    assert known.origin(value) == ORIGIN and known.origin(b"other") == Origin()


def test_nothing_is_found_where_nothing_is_known() -> None:
    known = Known()
    assert known.spans(b"text") == [] and b"text" not in known and not known
    assert b"text" not in knowing(values(3))


def test_the_first_origin_stays() -> None:
    known = knowing(values(1))
    generation = known.generation
    known.add(values(1)[0], Origin("other"))
    assert known.origin(values(1)[0]) == ORIGIN and known.generation == generation and len(known) == 1


def test_an_automaton_is_built_of_a_value_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    built = 0
    whole = module.forms

    def counted(value: bytes, shortest: int) -> set[bytes]:
        nonlocal built
        built += 1
        return whole(value, shortest)

    monkeypatch.setattr(module, "forms", counted)
    known, count = Known(), 1000
    for value in values(count):
        known.add(value, ORIGIN)
        known.spans(b"text")
    assert built < 30 * count
    assert len(known._levels) <= 6


def test_the_oldest_are_forgotten_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1000)
    wanted = values(2000)
    known = knowing(wanted)
    assert len(known) <= 1000 and known.forgotten == 2000 - len(known)
    assert wanted[0] not in known and wanted[-1] in known


def test_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 36 * 10)
    known = knowing(values(100))
    assert len(known) <= 10 and known.forgotten == 100 - len(known)


def restored(known: Known, stored: dict[int, list[object]]) -> Known:
    """What comes of it when the segments that changed are stored."""
    for number, segment in known.saved().items():
        stored.pop(number, None)
        if segment is not None:
            stored[number] = segment
    again = Known()
    again.go_on(stored)
    return again


def test_what_is_known_survives_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1500)
    known, stored, wanted = Known(), dict[int, list[object]](), values(4000)
    for number, value in enumerate(wanted):
        known.add(value, Origin(str(number), "c", number))
        if number % 333 == 0:
            known = restored(known, stored)
            assert value in known
    held = [value for value in wanted if value in known]
    again = restored(known, stored)
    assert [value for value in wanted if value in again] == held == wanted[-len(held) :]
    assert again.origin(wanted[-1]) == Origin("3999", "c", 3999)


def test_only_what_changed_is_saved() -> None:
    known = knowing(values(600))
    assert sorted(known.saved()) == [0, 1, 2]
    assert known.saved() == {}
    known.add(values(1, seed=9)[0], ORIGIN)
    assert sorted(known.saved()) == [2]


def test_values_are_in_no_repr() -> None:
    value = values(1)[0]
    assert value.decode() not in repr(next(knowing([value]).hits(value)))
