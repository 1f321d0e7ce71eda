"""What a dead agent left is passed on as it lies on disk, to its end; what nobody can open is no burden for ever."""

import json
import os
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chaperone.agent.deliver import start
from chaperone.agent.deliver.leftovers import DIED, UNRECORDED, Leftovers
from chaperone.agent.deliver.spool import ALIVE, LIFE, RESERVE, Spool
from chaperone.agent.settings import Ended
from chaperone.proto import capture_pb2 as wire
from chaperone.proto.ids import SessionId
from chaperone.proto.records import Note, SessionEnded, unpack
from chaperone.proto.sealed import Frames, open_key, public_of

PRIVATE = X25519PrivateKey.generate()
MIB = 1 << 20
NOTHING: dict[str, Ended] = {}


def dead(root: Path, agent: str, numbers: range, size: int = 10, sealed: bool = True) -> Path:
    """A folder as a killed agent leaves it."""
    spool = Spool(root, agent, 1 << 30, f"boot of {agent}")
    if sealed:
        spool.seal_to(public_of(PRIVATE))
    spool.begin(SessionId(f"session of {agent}"))
    spool.live(lambda: 5)
    for number in numbers:
        assert spool.append(wire.Batch(number=number, records=bytes(size), size=size), {})
    os.close(spool._lock)
    return spool.folder


def found(root: Path, limit: int = 1 << 30, known: dict[str, Ended] = NOTHING) -> Leftovers:
    leftovers = Leftovers(root, limit, known)
    leftovers.find()
    return leftovers


def said(leftovers: Leftovers) -> list[wire.Leftover]:
    return [message.leftover for message in leftovers.messages()]


def test_frames_come_in_order_and_then_the_end_of_the_sessions(tmp_path: Path) -> None:
    dead(tmp_path, "a", range(3, 6))
    *frames, last = said(found(tmp_path, known={"session of a": Ended(137, "it was killed")}))
    frames_of = Frames(open_key(frames[0].sealed_key, "a", PRIVATE), "a")
    assert [frames_of.open(one.number, one.frame).number for one in frames] == [3, 4, 5]
    records = list(unpack(zstandard.ZstdDecompressor().decompress(last.last.records)))
    assert [(type(record), record.session) for record in records] == [(Note, "session of a"), (SessionEnded, "session of a")]
    assert isinstance(records[0], Note) and records[0].text == f"it was killed: {UNRECORDED}" and not records[0].complete
    assert isinstance(records[1], SessionEnded) and records[1].status == 137


def test_it_is_the_same_whoever_says_it_how_often(tmp_path: Path) -> None:
    dead(tmp_path, "a", range(1, 4))
    first = found(tmp_path)
    once = said(first)
    records = list(unpack(zstandard.ZstdDecompressor().decompress(once[-1].last.records)))
    assert isinstance(records[0], Note) and records[0].text == f"{DIED}: {UNRECORDED}"
    first.close()
    again = found(tmp_path)
    assert [message.frame for message in once] == [message.frame for message in said(again)]
    assert once[-1] == said(again)[-1]


def test_they_are_removed_once_their_end_is_stored(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 4))
    leftovers = found(tmp_path)
    messages = leftovers.messages()
    for _ in range(3):
        next(messages)
    leftovers.acknowledge("a", 4)
    assert folder.exists(), "nobody was told that this is all"
    next(messages)
    leftovers.acknowledge("a", 3)
    assert folder.exists() and leftovers.under_way()
    leftovers.acknowledge("a", 4)
    assert not folder.exists() and not leftovers.under_way() and leftovers.ended == ["session of a"]


def test_a_living_agents_folder_is_not_touched(tmp_path: Path) -> None:
    living = Spool(tmp_path, "alive", MIB)
    living.seal_to(public_of(PRIVATE))
    living.append(wire.Batch(number=1, records=b"x", size=1), {})
    assert found(tmp_path).starts == {}
    assert living.read(1)


def test_only_one_of_two_agents_passes_them_on(tmp_path: Path) -> None:
    dead(tmp_path, "a", range(1, 3))
    first, second = found(tmp_path), found(tmp_path)
    assert (list(first.starts), list(second.starts)) == (["a"], [])


def test_what_a_collector_cannot_open_stays_for_another(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 100))
    leftovers = found(tmp_path)
    messages = leftovers.messages()
    next(messages)
    leftovers.refuse("a", "sealed to another key")
    assert list(messages) == [] and not leftovers.under_way() and folder.exists()
    assert len(said(leftovers)) == 100, "in the next conversation"


def texts(last: wire.Leftover) -> list[str]:
    records = unpack(zstandard.ZstdDecompressor().decompress(last.last.records))
    return [f"{record.session}: {record.text}" for record in records if isinstance(record, Note)]


def test_what_nobody_can_open_is_given_up_and_stated_in_its_sessions(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 3), sealed=False)
    size = sum(path.stat().st_size for path in folder.glob("*.segment"))
    leftovers = found(tmp_path)
    assert not list(folder.glob("*.segment")) and folder.exists()
    why = f"{size} bytes, since it had met no collector that could open it"
    assert leftovers.news() == [f"what agent a left is given up: {why}"] and leftovers.news() == []
    leftovers.close()
    again = found(tmp_path)
    [last] = said(again)
    assert texts(last)[1:] == [f"session of a: its last batches were given up: {why}"]
    again.acknowledge("a", 1)
    assert not folder.exists()


def test_beyond_the_limit_the_oldest_is_given_up_and_stated(tmp_path: Path) -> None:
    for age, agent in enumerate("abc"):
        (dead(tmp_path, agent, range(1, 3), MIB) / ALIVE).write_bytes(LIFE.pack(10**12 + age, 10**18))
    leftovers = found(tmp_path, limit=5 * MIB)
    assert [len(list((tmp_path / agent).glob("*.segment"))) for agent in "abc"] == [0, 1, 1]
    assert ["the spool has reached its limit" in text for text in leftovers.news()] == [True]
    assert [message.agent for message in said(leftovers)] == ["c", "c", "c", "b", "b", "b", "a"]
    assert "given up" in texts(said(leftovers)[-1])[1]


def test_what_is_given_up_of_no_known_session_is_stated_all_the_same(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 3))
    (folder / "start.json").write_text("{")
    [last] = said(found(tmp_path))
    assert texts(last) == [f": of what agent a left: its last batches were given up: {(folder / 'given-up').read_text()}"]


def test_a_frame_that_was_cut_off_is_stated_with_its_size(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 4), 1000)
    path = next(folder.glob("*.segment"))
    path.write_bytes(path.read_bytes()[:-100])
    *frames, last = said(found(tmp_path))
    assert [one.number for one in frames] == [1, 2]
    cut = path.stat().st_size - sum(len(one.frame) + 20 for one in frames)
    assert texts(last)[1:] == [f"session of a: {cut} bytes on disk could not be read, or were cut off when it died"]


def test_a_segment_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 4))
    segment = next(folder.glob("*.segment"))
    (folder / "0000000000000000.segment").symlink_to(segment)
    (folder / "0000000000000009.segment").mkdir()
    *frames, last = said(found(tmp_path))
    assert [one.number for one in frames] == [1, 2, 3]
    assert any("bytes on disk could not be read" in text for text in texts(last))


def test_a_folder_that_cannot_be_read_is_told_and_harms_no_other(tmp_path: Path) -> None:
    dead(tmp_path, "a", range(1, 3))
    (tmp_path / "broken/lock").mkdir(parents=True)
    leftovers = found(tmp_path)
    assert list(leftovers.starts) == ["a"] and (tmp_path / "broken").exists()
    assert leftovers.news() == [f"what lies in {tmp_path / 'broken'} can't be read and stays there: Is a directory"]


def test_one_that_cannot_be_given_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead(tmp_path, "a", range(1, 3), sealed=False)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(start, "replaced", full)
    leftovers = found(tmp_path)
    assert any("can't be removed: No space left on device" in text for text in leftovers.news())
    assert "given up" in texts(said(leftovers)[-1])[1]


def test_a_refusal_is_told_once(tmp_path: Path) -> None:
    dead(tmp_path, "a", range(1, 3))
    leftovers = found(tmp_path)
    for _ in range(3):
        leftovers.refuse("a", "sealed to another key, or damaged")
    [text] = leftovers.news()
    assert text.endswith(f"bytes that agent a left wait in {tmp_path / 'a'}: sealed to another key, or damaged")
    leftovers.refuse_all("no")
    assert leftovers.news()[0].endswith(": no")


def test_sessions_end_at_the_last_sign_of_life_whatever_the_wall_clock_was_set_to(tmp_path: Path) -> None:
    (dead(tmp_path, "a", range(1, 3)) / ALIVE).write_bytes(LIFE.pack(77 * 10**9, -5))
    last = said(found(tmp_path))[-1]
    records = list(unpack(zstandard.ZstdDecompressor().decompress(last.last.records)))
    assert {getattr(record, "time", 0) for record in records} == {77 * 10**9}
    assert (last.last.wall_offset_ns, last.boot_id) == (-5, "boot of a")


def test_without_a_sign_of_life_the_files_tell_when(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 3))
    (folder / ALIVE).write_bytes(b"torn")
    last = said(found(tmp_path))[-1].last
    [time] = {getattr(record, "time", 0) for record in unpack(zstandard.ZstdDecompressor().decompress(last.records))}
    assert time + last.wall_offset_ns == max(path.stat().st_mtime_ns for path in (folder, *folder.iterdir()))


def test_damaged_frames_are_counted_in_the_note(tmp_path: Path) -> None:
    folder = dead(tmp_path, "a", range(1, 6), 1000)
    path = next(folder.glob("*.segment"))
    data = bytearray(path.read_bytes())
    data[1200] ^= 1
    data[1200 + 1100] ^= 1
    path.write_bytes(data)
    *frames, last = said(found(tmp_path))
    assert [one.number for one in frames] == [1, 4, 5]
    records = unpack(zstandard.ZstdDecompressor().decompress(last.last.records))
    assert "2 batches were damaged on disk" in [record.text for record in records if isinstance(record, Note)]


def test_a_folder_with_any_start_is_no_trouble(tmp_path: Path) -> None:
    told = [{"sealed_key": 5, "sessions": []}, {"sealed_key": "=", "sessions": 3}, {"sealed_key": "", "sessions": [], "cuts": {"a": 5}}]
    for number, text in enumerate(["", "{}", "[1]", *map(json.dumps, told)]):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "start.json").write_text(text)
    (tmp_path / "empty").mkdir()
    leftovers = found(tmp_path)
    assert leftovers.news() == [] and [len(texts(last)) for last in said(leftovers)] == [1] * 7, "each says that nothing is known of it"
    for agent in list(leftovers.starts):
        leftovers.acknowledge(agent, 1)
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_that_an_agent_left_nothing_is_said_until_it_is_stored(tmp_path: Path) -> None:
    """Who finds that may die as well, before it has told anybody."""
    (tmp_path / "a").mkdir()
    for _ in range(2):
        leftovers = found(tmp_path)
        [last] = said(leftovers)
        assert texts(last) == [f": agent a died and left nothing in {tmp_path}: what it had not delivered is not known"]
        leftovers.close()
    leftovers = found(tmp_path)
    said(leftovers)
    leftovers.acknowledge("a", 1)
    assert found(tmp_path).starts == {}


def test_agents_that_left_nothing_keep_no_room_on_the_disk(tmp_path: Path) -> None:
    """Where no collector answers, their folders may become many."""
    for agent in ("a", "b"):
        dead(tmp_path, agent, range(0))
    leftovers = found(tmp_path)
    assert sorted(leftovers.starts) == ["a", "b"] and not list(tmp_path.glob(f"*/{RESERVE}"))
    leftovers.close()
    assert sorted(found(tmp_path).starts) == ["a", "b"]
