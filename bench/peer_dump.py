"""mitmdump in reverse mode between a real client and a real server, both HTTP/2 over TLS: its CPU seconds."""

import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions

HOST = "127.0.0.1"
Answers = dict[str, tuple[dict[str, str], bytes]]


def certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(make, check=True, capture_output=True)
    return cert, key


class Server(threading.Thread):
    """Answers each GET on an HTTP/2 connection with what `answers` has for its path."""

    def __init__(self, answers: Answers, folder: Path) -> None:
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate(folder))
        self.context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server((HOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.answers = answers
        self.start()

    def run(self) -> None:
        while True:
            plain, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def serve(self, plain: socket.socket) -> None:
        with self.context.wrap_socket(plain, server_side=True) as tls:
            peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
            peer.initiate_connection()
            owed: dict[int, memoryview] = {}
            while True:
                tls.sendall(peer.data_to_send())
                data = tls.recv(1 << 18)
                if not data:
                    return
                for event in peer.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        owed[event.stream_id] = self.head(peer, event)
                self.pay(peer, tls, owed)

    def head(self, peer: h2.connection.H2Connection, event: h2.events.RequestReceived) -> memoryview:
        path = dict(event.headers)[b":path"].decode()
        headers, body = self.answers[path]
        peer.send_headers(event.stream_id, [(":status", "200"), *headers.items()])
        return memoryview(body)

    def pay(self, peer: h2.connection.H2Connection, tls: ssl.SSLSocket, owed: dict[int, memoryview]) -> None:
        for stream in list(owed):
            while stream in owed and (room := min(peer.local_flow_control_window(stream), peer.max_outbound_frame_size)):
                part, owed[stream] = owed[stream][:room], owed[stream][room:]
                peer.send_data(stream, part.tobytes(), end_stream=not owed[stream])
                tls.sendall(peer.data_to_send())
                if not owed[stream]:
                    del owed[stream]


def ask(port: int, paths: list[str]) -> int:
    """GET each path on one HTTP/2 connection, one after another; returns the body bytes that came."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    got = 0
    with context.wrap_socket(socket.create_connection((HOST, port)), server_hostname="localhost") as tls:
        peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        peer.initiate_connection()
        peer.increment_flow_control_window(2**30)
        for path in paths:
            stream = peer.get_next_available_stream_id()
            peer.send_headers(stream, [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", path)], end_stream=True)
            peer.increment_flow_control_window(2**30, stream)
            got += receive(peer, tls)
    return got


def receive(peer: h2.connection.H2Connection, tls: ssl.SSLSocket) -> int:
    got = 0
    while True:
        tls.sendall(peer.data_to_send())
        data = tls.recv(1 << 18)
        if not data:
            raise ConnectionError("the proxy closed the connection")
        for event in peer.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                got += len(event.data)
                if event.flow_controlled_length:
                    peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                return got
            elif isinstance(event, h2.events.StreamReset):
                raise ConnectionError("the proxy reset the stream")


def cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def measure(mitmdump: Path, answers: Answers) -> float:
    """CPU seconds that mitmdump spends on one client's GETs of every path, start-up not counted."""
    with tempfile.TemporaryDirectory() as folder:
        server, port = Server(answers, Path(folder)), free_port()
        options = ["--set", "connection_strategy=lazy", "--set", f"confdir={folder}", "--ssl-insecure", "--quiet"]
        command = [str(mitmdump), "--mode", f"reverse:https://{HOST}:{server.port}", "-p", str(port), "--listen-host", HOST, *options]
        proxy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            before = cpu_seconds(proxy.pid)
            expected = sum(len(body) for _, body in answers.values())
            got = ask(port, list(answers))
            if got != expected:
                raise AssertionError(f"mitmdump delivered {got} of {expected} bytes")
            return cpu_seconds(proxy.pid) - before
        finally:
            proxy.kill()
            proxy.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("mitmdump did not listen within 30 s")
