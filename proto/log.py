"""What a process says of itself, on stderr: a sentence a line or, for those who gather logs, a JSON object a line. Never payload.

Who says something waits for nobody: a thread writes it a moment later, or the end does. Of more than is kept meanwhile the oldest is left
out, and how much that was is said. Of an exception its type and places are told: its text might quote payload. Of what libraries say
warnings are told, by their first line, for the same reason.
"""

import argparse
import json
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

OURS = "chaperone"
FIELDS = ("session", "workload", "agent", "stream", "hold", "order", "result", "size", "digest")  # `extra=` of a line
LEVELS = ("debug", "info", "warning", "error")
WRITE_S = 0.1
KEPT = 10_000  # lines; a second's held calls are fewer


class Form(StrEnum):
    """Of a line."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Log:
    """How much is said, and how."""

    form: Form = Form.TEXT
    level: str = "info"


PLAIN = Log()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command line's part of it."""
    parser.add_argument("--log-format", choices=tuple(Form), default=Form.TEXT, help="of what is said on stderr [default: text]")
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="the least of what is said there [default: info]")


def log_of(options: argparse.Namespace) -> Log:
    """What the command line says."""
    return Log(Form(options.log_format), options.log_level)


@contextmanager
def speaking(side: str, log: Log) -> Iterator[None]:
    """What is logged is said as `chaperone SIDE`, until the end, when all of it has been."""
    root, ours = logging.getLogger(), logging.getLogger(OURS)
    before = root.level, ours.level
    handler = _Later(_Json() if log.form is Form.JSON else _Text(side))
    root.setLevel(logging.WARNING)
    ours.setLevel(log.level.upper())
    root.addHandler(handler)
    try:
        with _faults_told() if log.form is Form.JSON else nullcontext():
            yield
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(before[0])
        ours.setLevel(before[1])


@contextmanager
def _faults_told() -> Iterator[None]:
    """What ends this process, or a thread of it, is a line as any other, not Python's many."""
    own = threading.excepthook
    threading.excepthook = lambda told: _tell_fault("a fault ends a thread", told.exc_value)
    try:
        yield
    except Exception as error:  # noqa: BLE001 - it ends the process as it would without us
        _tell_fault("a fault ends this process", error)
        raise SystemExit(1) from None
    finally:
        threading.excepthook = own


def _tell_fault(sentence: str, error: BaseException | None) -> None:
    logging.getLogger(OURS).critical(sentence, exc_info=error)


class _Later(logging.Handler):
    """Keeps records for its thread, which looks by itself: to wake it costs whoever speaks more than all the rest."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._kept, self._left_out = deque[logging.LogRecord](), 0
        self._writing, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if len(self._kept) >= KEPT:
            self._kept.popleft()
            self._left_out += 1
        self._kept.append(record)

    def close(self) -> None:
        """All is said."""
        self._over.set()
        self._thread.join()
        self._write()
        super().close()

    def _run(self) -> None:
        while not self._over.wait(WRITE_S):
            self._write()

    def _write(self) -> None:
        """Where nobody reads any more there is nobody to tell that."""
        self.acquire()
        kept, self._kept = self._kept, deque()
        left_out, self._left_out = self._left_out, 0
        self.release()
        if left_out:
            kept.appendleft(_left_out(left_out))
        if kept:
            with suppress(OSError, ValueError):
                sys.stderr.write("".join(f"{self.format(record)}\n" for record in kept))
                sys.stderr.flush()


class _Text(logging.Formatter):
    def __init__(self, side: str) -> None:
        super().__init__()
        self._side = side

    def format(self, record: logging.LogRecord) -> str:
        """As people read it."""
        told = [_said(record), *(f"{name}={value}" for name, value in _fields(record).items())]
        return f"{OURS} {self._side}: {' '.join(told)}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """As it is gathered."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        head = {"ts": when, "level": record.levelname.lower(), "logger": record.name, "message": _said(record)}
        return json.dumps(head | _fields(record))


def _said(record: logging.LogRecord) -> str:
    if record.name.partition(".")[0] == OURS:
        return record.getMessage()
    return record.getMessage().partition("\n")[0]


def _fields(record: logging.LogRecord) -> dict[str, object]:
    found = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    error = record.exc_info[1] if record.exc_info else None
    return found | ({"fault": _fault(error)} if error else {})


def _fault(error: BaseException) -> str:
    """`KeyError at stream.py:12 < feed.py:7`, where it came from first. Of several that came at once, each."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(_fault, error.exceptions))
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places or 'nowhere'}"


def _left_out(count: int) -> logging.LogRecord:
    return logging.LogRecord(OURS, logging.WARNING, "", 0, f"{count} lines were left out here", None, None)
