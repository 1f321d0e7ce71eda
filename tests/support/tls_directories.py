"""Directories of tls.crt, tls.key and ca.crt, as Secrets are mounted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from chaperone.collector.identity.certificates import Pair, Subject, Validity, issue, new_authority

HOUR = timedelta(hours=1)
SERVER = Subject("collector", hosts=("localhost", "127.0.0.1"))


def hour() -> Validity:
    """From now on."""
    return Validity(datetime.now(UTC), HOUR)


def tls_directory(folder: Path, parent: Pair, subject: Subject) -> Path:
    """A certificate for somebody."""
    folder.mkdir(exist_ok=True)
    pair = issue(parent, subject, hour())
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    (folder / "ca.crt").write_bytes(parent.certificate)
    return folder


def authority() -> Pair:
    """One for a test."""
    return new_authority(hour())
