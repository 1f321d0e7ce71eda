"""`chaperone clients`: whose TLS is read, and what becomes of the others. The table is the one that docs/clients.md is tested by."""

from dataclasses import dataclass
from typing import Any

from chaperone.collector.cli.options import FormOption
from chaperone.collector.cli.output import Form, documents, is_coloured, say
from chaperone.collector.cli.show.table import Cell, table


@dataclass(frozen=True, slots=True)
class Stack:
    """A TLS stack. `spoken`: what a note calls it where it is not read."""

    name: str
    is_read: bool
    how: str
    programs: str
    spoken: str = ""


NAMED = "named, with its bytes"
STACKS = (
    Stack("Go crypto/tls", True, "Go 1.18 and later, stripped or not, PIE or not", "kubectl, helm, client-go"),
    Stack("OpenSSL", True, "1.1 and 3: shared, or built in with symbols", "Python (ssl, asyncio), curl, node, openssl"),
    Stack("GnuTLS", True, "3, shared", "wget, git, curl with GnuTLS"),
    Stack("BoringSSL", True, "shared, or built in with symbols", "curl_cffi"),
    Stack("OpenSSL without symbols", False, NAMED, "stripped static programs", "OpenSSL"),
    Stack("BoringSSL without symbols", False, NAMED, "Python grpcio", "BoringSSL"),
    Stack("rustls", False, NAMED, "uv, Rust programs", "rustls"),
    Stack("NSS", False, NAMED, "tstclnt, Firefox", "NSS"),
    Stack("Java JSSE", False, NAMED, "Java programs", "Java's JSSE"),
    Stack("Mbed TLS, wolfSSL", False, NAMED, "small devices' programs", "Mbed TLS"),
    Stack("QUIC", False, "named, with its bytes, at its first packet", "HTTP/3 clients", "QUIC"),
    Stack("0-RTT data", False, "stated as lost with its size, what follows is read", "OpenSSL, GnuTLS: none known calls Kubernetes so"),
    Stack("SSL_sendfile", False, "stated as lost with its size, what follows is read", "file servers"),
    Stack("kernel TLS", False, "read where OpenSSL writes; written to the socket itself: a gap with its size", "file servers, proxies"),
    Stack("any other", False, "named as unknown, with its bytes", "", "TLS stack unknown"),
)


def clients(output: FormOption = Form.TABLE) -> None:
    """Say whose TLS is read, and which clients stay unread but named."""
    if output is not Form.TABLE:
        return documents(map(_document, STACKS), output)
    rows = (
        (Cell("read", "good") if stack.is_read else Cell("unread", "doubtful"), stack.name, stack.how, stack.programs) for stack in STACKS
    )
    return say(table(("", "TLS STACK", "HOW", "CLIENTS"), rows, is_coloured()))


def _document(stack: Stack) -> dict[str, Any]:
    """{stack, read, how, clients, calledInNotes}."""
    return {"stack": stack.name, "read": stack.is_read, "how": stack.how, "clients": stack.programs, "calledInNotes": stack.spoken}
