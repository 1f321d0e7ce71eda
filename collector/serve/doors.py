"""Where the collector listens besides its socket: TCP with TLS only.

`agents and people` show a client certificate; the port for tokens shows ours and takes bearer tokens: gRPC for Python can require
client certificates or not ask for them, nothing between, so there are two. Certificates are read again when their files change.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED
from chaperone.collector.settings import Listening

Files = tuple[bytes, bytes, bytes]


class DoorError(Exception):
    """A port that can't be opened; the message is one sentence."""


def open_doors(server: grpc.aio.Server, doors: Listening) -> None:
    """Bind each address. DoorError when one can't be."""
    for address, is_certified in ((doors.certified, True), (doors.by_token, False)):
        if not address:
            continue
        try:
            bound = server.add_secure_port(address, _credentials(doors.tls, is_certified))
        except (OSError, RuntimeError, ValueError) as error:
            raise DoorError(f"cannot listen on {address}: {_reason(error)}") from None
        if not bound:
            raise DoorError(f"cannot listen on {address}: it is no address of this machine, or somebody else listens there")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return "it is no address of this machine, or somebody else listens there"


def _credentials(directory: Path, is_certified: bool) -> grpc.ServerCredentials:
    initial = _read(directory)
    renewed: Any = _renewed(directory, initial)  # the stubs know nothing of None
    return grpc.dynamic_ssl_server_credentials(_configuration(initial), renewed, is_certified)


def _renewed(directory: Path, initial: Files) -> Callable[[], grpc.ServerCertificateConfiguration | None]:
    """Asked at each handshake: the configuration if it is another than before. Files that are being replaced are as good as the old.

    gRPC's core drops its configuration when it is given one, also while another handshake uses it, and then aborts the process
    (grpc/grpc#36693, seen with 50 agents that connect at once): so it is given one only when the files have changed.
    """
    known = initial

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal known
        found = known
        with suppress(OSError):
            found = _read(directory)
        if found == known:
            return None
        known = found
        return _configuration(known)

    return renewed


def _read(directory: Path) -> Files:
    return (directory / KEY).read_bytes(), (directory / CERTIFICATE).read_bytes(), (directory / TRUSTED).read_bytes()


def _configuration(files: Files) -> grpc.ServerCertificateConfiguration:
    key, certificate, authority = files
    return grpc.ssl_server_certificate_configuration([(key, certificate)], authority)
