"""mitmproxy's own layers on a conversation, without sockets: prints CPU seconds. Run by its own interpreter.

Usage: peer_layers.py CONVERSATION   (a pickle of [(direction, bytes), …], made by decode.py)
"""

import pickle
import sys
import time
from pathlib import Path

from mitmproxy import connection, options
from mitmproxy.addons import proxyserver
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.mode_specs import ProxyMode


def make_layer(is_http2: bool) -> tuple[context.Context, http.HttpLayer]:
    opts = options.Options()
    proxyserver.Proxyserver().load(opts)  # defines body_size_limit and the like
    client = connection.Client(
        peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0.0, state=connection.ConnectionState.OPEN
    )
    ctx = context.Context(client, opts)
    alpn = b"h2" if is_http2 else b"http/1.1"
    ctx.client.alpn = alpn
    ctx.client.proxy_mode = ProxyMode.parse("reverse:https://127.0.0.1:6443")
    ctx.server.address = ("127.0.0.1", 6443)
    ctx.server.state = connection.ConnectionState.OPEN
    ctx.server.alpn = alpn
    ctx.server.timestamp_start = 0.0
    return ctx, http.HttpLayer(ctx, http.HTTPMode.transparent)


def drive(top: layer.Layer, event: events.Event) -> int:
    """Feed one event and answer each command as a proxy with no addons would; returns how many hooks ran."""
    hooks, pending = 0, [event]
    while pending:
        for command in top.handle_event(pending.pop(0)):
            if isinstance(command, commands.StartHook):
                hooks += 1
                pending.append(events.HookCompleted(command))
            elif isinstance(command, commands.OpenConnection):
                pending.append(events.OpenConnectionCompleted(command, None))
    return hooks


def main() -> None:
    conversation = pickle.loads(Path(sys.argv[1]).read_bytes())
    ctx, top = make_layer(conversation[0][1].startswith(b"PRI "))
    began = time.process_time()
    hooks = drive(top, events.Start())
    for direction, data in conversation:
        peer = ctx.server if direction else ctx.client
        hooks += drive(top, events.DataReceived(peer, data))
    print(time.process_time() - began, hooks)


if __name__ == "__main__":
    main()
