"""One gRPC call to a server that does not know it."""

import sys
from pathlib import Path

import grpc

credentials = grpc.ssl_channel_credentials(Path(sys.argv[2]).read_bytes())
with grpc.secure_channel(sys.argv[1].removeprefix("https://"), credentials) as channel:
    try:
        channel.unary_unary("/zoo.Zoo/Ask", lambda data: data, lambda data: data)(b"x" * 1000, timeout=20)
    except grpc.RpcError as error:
        assert error.code() is not grpc.StatusCode.UNAVAILABLE, error
