"""One HTTP POST of whose answer's body only the beginning is read: TLS verified, no redirect followed, bounded in time and size.

An own client of a hundred lines because of what must not happen: slack-sdk's and httpx's log addresses, which are secrets here, and
urllib follows redirects, reads bodies of any size and knows no limit for the whole exchange. What is said of a failure never
has the address in it.
"""

import asyncio
import base64
import email.utils
import errno
import os
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from chaperone.collector.enforce.alerting import Endpoint
from chaperone.collector.enforce.outcome import Fate, Outcome

HEAD_LIMIT = 16 << 10
BODY_LIMIT = 16 << 10
INTERIM = 5  # 1xx answers before the real one
_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH: their texts name the host
_RECEIVER = frozenset({401, 403, 404, 405, 407, 408, 410, 421, 425, 429})  # what another message would meet too


class _AnswerError(Exception):
    """What came is no answer."""


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def post(endpoint: Endpoint, body: bytes, headers: Mapping[str, str], below: str = "") -> Outcome:
    """Send `body`; what came of it. `below`: what is added to the address's path."""
    parts = urlsplit(endpoint.url.reveal())
    parts = parts._replace(path=parts.path + below)
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            return await _exchange(parts, endpoint.ca, _request(parts, body, headers))
    except TimeoutError:
        return Outcome(Fate.LATER, f"no answer within {endpoint.timeout_s:g}s")
    except ssl.SSLCertVerificationError as error:
        reason = "it is for another host" if error.verify_code in _MISMATCH else error.verify_message
        return Outcome(Fate.LATER, f"its certificate is not trusted: {reason}")
    except ssl.SSLError as error:
        return Outcome(Fate.LATER, f"TLS failed: {error.reason or 'no reason given'}")
    except socket.gaierror:
        return Outcome(Fate.LATER, "its name can't be resolved")
    except (OSError, asyncio.IncompleteReadError) as error:
        return Outcome(Fate.LATER, _failure(error))
    except (_AnswerError, asyncio.LimitOverrunError, ValueError):
        return Outcome(Fate.LATER, "it answered something that is no HTTP")


def _failure(error: OSError | EOFError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number in errno.errorcode and number is not None else "the connection broke"


async def _exchange(parts: SplitResult, ca: str, request: bytes) -> Outcome:
    connection = await _connect(parts, ca)
    try:
        connection.writer.write(request)
        await connection.writer.drain()
        status, headers = await _answer(connection.reader)
        said = await _beginning(connection.reader, headers)
        return replace(_meaning(status, headers), said=said)
    finally:
        connection.writer.transport.abort()


async def _connect(parts: SplitResult, ca: str) -> _Connection:
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    context = _context(ca, _changed(ca)) if parts.scheme == "https" else None
    proxy = _proxy(parts)
    if proxy is None or context is None:
        return _Connection(*await asyncio.open_connection(host, port, ssl=context, limit=HEAD_LIMIT))
    reader, writer = await asyncio.open_connection(proxy.hostname, proxy.port or 8080, limit=HEAD_LIMIT)
    try:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{_proxy_user(proxy)}\r\n".encode("ascii"))
        status, _ = await _answer(reader)
        if status != 200:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "by the proxy")
        await writer.start_tls(context, server_hostname=host)
    except BaseException:
        writer.transport.abort()
        raise
    return _Connection(reader, writer)


def _proxy(parts: SplitResult) -> SplitResult | None:
    """HTTPS_PROXY and NO_PROXY, as other programs take them."""
    named = urllib.request.getproxies().get("https", "")
    if not named or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urlsplit(named if "://" in named else f"http://{named}")


def _proxy_user(proxy: SplitResult) -> str:
    """Who we are to the proxy (RFC 7617), if its address says so."""
    if proxy.username is None:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"


@lru_cache(32)
def _context(ca: str, changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca or None)


def _changed(ca: str) -> int:
    return os.stat(ca).st_mtime_ns if ca else 0  # noqa: PTH116


def _request(parts: SplitResult, body: bytes, headers: Mapping[str, str]) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    fixed = {"Host": host, "User-Agent": "chaperone", "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**fixed, **headers}.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers of the first answer that is not an interim one."""
    for _ in range(INTERIM):
        status, headers = _head((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
        if status >= 200:
            return status, headers
    raise _AnswerError


def _head(text: str) -> tuple[int, dict[str, str]]:
    first, *lines = text.split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not (rest[:3].isascii() and rest[:3].isdigit()):
        raise _AnswerError
    pairs = (line.partition(":") for line in lines if ":" in line)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _beginning(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """A little of the body, also so that a server is not cut off while it writes "ok"."""
    size = headers.get("content-length", "")
    wanted = min(int(size), BODY_LIMIT) if size.isascii() and size.isdigit() else BODY_LIMIT
    found = b""
    try:
        async with asyncio.timeout(1):
            while len(found) < wanted and (part := await reader.read(wanted - len(found))):
                found += part
    except (TimeoutError, OSError):
        return found
    return found


def _meaning(status: int, headers: Mapping[str, str]) -> Outcome:
    if 200 <= status < 300:
        return Outcome(Fate.SENT, f"answered {status}")
    if 300 <= status < 400:
        return Outcome(Fate.LATER, f"answered {status}: redirects are not followed")
    if status >= 500 or status in _RECEIVER:
        return Outcome(Fate.LATER, f"answered {status}", _retry_after(headers.get("retry-after", "")))
    return Outcome(Fate.REFUSED, f"answered {status}")


def _retry_after(text: str) -> float | None:
    """Seconds, or a date (RFC 9110 §10.2.3)."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
