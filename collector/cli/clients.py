"""`chaperone clients`: whose TLS is read, and what becomes of the others. The table is the one that docs/clients.md is tested by."""

from dataclasses import dataclass

from chaperone.collector.cli.output import is_coloured, say
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
    Stack("0-RTT data, SSL_sendfile, kernel TLS", False, "stated as lost, as a gap or as unproven", "none known that calls Kubernetes"),
    Stack("any other", False, "named as unknown, with its bytes", "", "TLS stack unknown"),
)


def clients() -> None:
    """Say whose TLS is read, and which clients stay unread but named."""
    rows = (
        (Cell("read", "good") if stack.is_read else Cell("unread", "doubtful"), stack.name, stack.how, stack.programs) for stack in STACKS
    )
    say(table(("", "TLS STACK", "HOW", "CLIENTS"), rows, is_coloured()))
