"""One accepted TLS connection: its bytes, logged as they are read and written when asked to."""

import asyncio
import contextlib
import json
from pathlib import Path


class Wire:
    """`out` is what the client sent, `in` what it was sent: directions are the client's, as everywhere here."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: Path | None) -> None:
        self.alpn = writer.get_extra_info("ssl_object").selected_alpn_protocol() or ""
        self._reader, self._writer = reader, writer
        self._out = self._in = None
        if log is not None:
            log.with_suffix(".json").write_text(json.dumps({"client": writer.get_extra_info("peername"), "alpn": self.alpn}))
            self._out = log.with_suffix(".out").open("ab", buffering=0)
            self._in = log.with_suffix(".in").open("ab", buffering=0)

    async def read(self) -> bytes:
        """Up to 64 KiB; empty at the end, also when the client just went away."""
        try:
            data = await self._reader.read(65536)
        except (ConnectionError, OSError):
            return b""
        if self._out:
            self._out.write(data)
        return data

    async def write(self, data: bytes) -> None:
        """Send, and wait while the client is slow. ConnectionError when it is gone."""
        if not data:
            return
        if self._in:
            self._in.write(data)
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        """Say goodbye and let go."""
        for file in (self._out, self._in):
            if file:
                file.close()
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):  # a client that reset the connection needs no goodbye
            await asyncio.wait_for(self._writer.wait_closed(), 2)
