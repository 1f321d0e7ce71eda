"""Records of the version before are read, and it reads ours.

previous/records.msgpack is one record of each kind as that version's `pack` wrote it, previous/records.json the fields of each kind in the
order that it reads them in. Both are made anew of the version that was released.
"""

import json
from dataclasses import MISSING, fields
from pathlib import Path

import msgpack
import pytest

from chaperone.proto.records import KINDS, Record, Unknown, pack, unpack

PREVIOUS = Path(__file__).parent / "previous"
FIELDS: dict[int, list[str]] = {int(kind): names for kind, names in json.loads((PREVIOUS / "records.json").read_text()).items()}
WRITTEN = (PREVIOUS / "records.msgpack").read_bytes()


def arrays() -> list[tuple[object, ...]]:
    unpacker = msgpack.Unpacker(use_list=False)
    unpacker.feed(WRITTEN)
    return list(unpacker)


def read() -> list[Record | Unknown]:
    return list(unpack(WRITTEN))


def test_each_kind_of_the_version_before_is_there() -> None:
    assert {type(record) for record in read()} == {KINDS[kind] for kind in FIELDS}


def test_what_it_wrote_is_read_as_it_meant_it() -> None:
    for record, array in zip(read(), arrays(), strict=True):
        (kind, *values) = array
        assert isinstance(kind, int)
        assert [getattr(record, name) for name in FIELDS[kind]] == values


def test_what_it_could_not_say_has_a_default() -> None:
    for record, (kind, *_) in zip(read(), arrays(), strict=True):
        assert isinstance(kind, int)
        for field in fields(type(record)):
            if field.name not in FIELDS[kind]:
                assert getattr(record, field.name) == (field.default if field.default is not MISSING else field.default_factory())


@pytest.mark.parametrize("kind", FIELDS)
def test_it_finds_in_ours_what_it_looks_for_where_it_looks(kind: int) -> None:
    assert [field.name for field in fields(KINDS[kind])][: len(FIELDS[kind])] == FIELDS[kind]


def test_ours_begin_with_what_it_wrote() -> None:
    unpacker = msgpack.Unpacker(use_list=False)
    unpacker.feed(pack(record for record in read() if not isinstance(record, Unknown)))
    for ours, its in zip(unpacker, arrays(), strict=True):
        assert ours[: len(its)] == its
