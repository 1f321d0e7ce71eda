"""The line to the collector: its own socket, or TCP with TLS on both sides."""

from pathlib import Path

import grpc

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"  # as in a Secret of type kubernetes.io/tls
MESSAGE_LIMIT = 64 << 20  # bytes: a batch holds at most one chunk more than its limit
_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),  # a node that vanished hangs up on nobody
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_http_proxy", 0),
)
UNIX = "unix:"


def line(target: str, tls: Path | None) -> grpc.Channel:
    """A channel. `tls`: the directory of our certificate, read anew each time: it may have been renewed. OSError if it can't be read."""
    if target.startswith(UNIX):
        return grpc.insecure_channel(target, options=_OPTIONS)
    if tls is None:
        raise ValueError(f"{target} is no socket of this machine: a collector on TCP needs --tls")
    files = [(tls / name).read_bytes() for name in (AUTHORITY, KEY, CERTIFICATE)]
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(*files), options=_OPTIONS)
