"""The line to the collector: its own socket, or TCP with TLS on both sides."""

from pathlib import Path

import grpc

from chaperone.agent.deliver.route import UNIX, Stop

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"  # as in a Secret of type kubernetes.io/tls
MESSAGE_LIMIT = 64 << 20  # bytes: a batch holds at most one chunk more than its limit
_OPTIONS = (
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 3_000),  # also how long a connection may take to be made
    ("grpc.keepalive_time_ms", 5_000),  # a node that vanished hangs up on nobody
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
)


def line(to: Stop | str, tls: Path | None) -> grpc.Channel:
    """A channel to a stop, or to whatever a target's name stands for. `tls`: the directory of our certificate, read anew each time: it may
    have been renewed. OSError if it can't be read."""
    target, name = (to, "") if isinstance(to, str) else (to.target, to.name)
    if target.startswith(UNIX):
        return grpc.insecure_channel(target, options=_OPTIONS)
    if tls is None:
        raise ValueError(f"{target} is no socket of this machine: a collector on TCP needs --tls")
    files = [(tls / name).read_bytes() for name in (AUTHORITY, KEY, CERTIFICATE)]
    named = (("grpc.ssl_target_name_override", name),) if name else ()
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(*files), options=_OPTIONS + named)
