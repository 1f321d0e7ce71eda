"""The two forms of a WebSocket message: bytes as they are, or base64 in text. A message may come in parts.

Source: apiserver pkg/util/wsstream conn.go: `base64.` protocols write the channel as one ASCII digit, the rest in base64
(Go's decoder passes over line ends). It reads each fragment as a message of its own; only v5 servers join them.
"""

import binascii
from dataclasses import dataclass, replace

from chaperone.collector.kube.upgrade.pieces import Content
from chaperone.collector.wire.events import Message
from chaperone.proto.records import Direction

FRAGMENTS = "a message in fragments, which servers before v5 read as several"
NOT_BASE64 = "not base64 where the subprotocol demands it"


@dataclass(slots=True)
class _Half:
    """A direction: the channel of the message that is coming, how much of it came, base64 that is no whole group yet."""

    channel: int | None = None
    offset: int = 0
    carry: bytes = b""


class Coding:
    """Takes a message's coding off, and its channel where there is one."""

    def __init__(self, subprotocol: str, channels: bool) -> None:
        self._joins = subprotocol.startswith("v5.")
        self._base64 = "base64." in subprotocol
        self._head = int(channels)
        self._halves = {direction: _Half() for direction in Direction}

    def read(self, message: Message) -> tuple[int | None, Content]:
        """Channel and content of a message or part of one; no channel where a hole hides it."""
        half, data = self._halves[message.direction], message.data
        if message.offset == 0:
            half.channel, half.offset, half.carry = self._channel(data), 0, b""
            data = data[self._head :]
        whole = message.offset == half.offset
        half.channel = half.channel if message.offset >= 0 else None
        content = self._clear(half, message, data, whole) if self._base64 and message.offset >= 0 else Content(message, data)
        half.offset = message.offset + len(message.data)
        if message.fragmented and message.direction is Direction.OUT and not self._joins:
            content = replace(content, doubts=(*content.doubts, FRAGMENTS))
        return half.channel, content

    def _channel(self, data: bytes) -> int | None:
        if not (self._head and data):
            return None
        return data[0] - ord("0") if self._base64 else data[0]

    def _clear(self, half: _Half, message: Message, data: bytes, whole: bool) -> Content:
        if not whole:  # groups of four begin at the first character behind the channel
            half.carry = b""
            data = data[(self._head - message.offset) % 4 :]
        coded = half.carry + data.translate(None, b"\r\n")
        cut = len(coded) if message.final else len(coded) - len(coded) % 4
        half.carry = coded[cut:]
        try:
            return Content(message, binascii.a2b_base64(coded[:cut], strict_mode=True))
        except binascii.Error:
            return Content(message, coded[:cut], (NOT_BASE64,))
