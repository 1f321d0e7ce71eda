"""Exec and port-forward as text."""

from conftest import Golden
from support.documents import call, exec_call, piece

from chaperone.collector.cli.show.channels import channel_lines


def test_an_exec_shows_every_chunk_with_its_time_and_how_it_ended(golden: Golden) -> None:
    resize = piece("resize", '{"Width":120,"Height":40}', 205, direction="out")
    pieces = [resize, piece("stdout", "a\x1b[2Jb\nc", 310), piece("stderr", "no\n", 320)]
    golden("channels.txt", "\n".join(channel_lines("a.jsonl.gz", exec_call(), pieces)) + "\n")


def test_calls_without_channels_are_left_out() -> None:
    assert list(channel_lines("a", call(), [])) == []
    assert list(channel_lines("a", call(verb="watch"), [piece("event", "{}", 300)])) == []
