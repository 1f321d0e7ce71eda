"""Asking an agent's port over TLS, as a kubelet does or as Prometheus does."""

import http.client
import ssl
from pathlib import Path


def asked(port: int, path: str, tls: Path | None = None) -> tuple[int, str]:
    """Status and body. `tls`: the folder of the certificate to show; without one, whoever answers is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls is not None:
        context.load_cert_chain(tls / "tls.crt", tls / "tls.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
