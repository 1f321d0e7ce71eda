"""A collector on another machine: its address, and how we show who we are. Options of `chaperone` itself, before the command."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import grpc
import typer
import yaml

from chaperone.collector.cli.failed import CommandError
from chaperone.collector.identity.folder import CERTIFICATE, KEY, TRUSTED

BEARER = "Bearer"
ServerOption = Annotated[
    str | None, typer.Option("--server", envvar="CHAPERONE_SERVER", metavar="HOST:PORT", help="Ask this collector, not the store here")
]
NameOption = Annotated[str, typer.Option(envvar="CHAPERONE_SERVER_NAME", help="The name in its certificate, if that is not the address")]
TlsOption = Annotated[Path | None, typer.Option(envvar="CHAPERONE_TLS", metavar="DIR", help="Our tls.crt and tls.key, and its ca.crt")]
AuthorityOption = Annotated[Path | None, typer.Option("--ca", envvar="CHAPERONE_CA", help="Its authority's certificate, beside a token")]
KubeconfigOption = Annotated[
    Path | None, typer.Option(envvar="CHAPERONE_KUBECONFIG", help="The token of its current context says who we are")
]


@dataclass(frozen=True, slots=True)
class Server:
    """`name`: in its certificate, where that is not the address (behind `kubectl port-forward`). `tls`: directory of our certificate and
    of the authority's; `authority`: that alone, with the token of the current context of `kubeconfig`."""

    address: str
    name: str = ""
    tls: Path | None = None
    authority: Path | None = None
    kubeconfig: Path | None = None

    def channel(self, options: tuple[tuple[str, object], ...]) -> grpc.Channel:
        """A channel that shows who we are. CommandError when there is nothing to show."""
        named = (("grpc.ssl_target_name_override", self.name),) if self.name else ()
        return grpc.secure_channel(self.address, self._credentials(), (*options, *named))

    def _credentials(self) -> grpc.ChannelCredentials:
        if self.tls:
            authority, key, certificate = (read(self.tls / name) for name in (TRUSTED, KEY, CERTIFICATE))
            return grpc.ssl_channel_credentials(authority, key, certificate)
        if not self.authority or not self.kubeconfig:
            raise CommandError(f"nothing says to {self.address} who you are", "give --tls DIR, or --ca FILE and --kubeconfig FILE")
        transport = grpc.ssl_channel_credentials(read(self.authority))
        return grpc.composite_channel_credentials(transport, grpc.access_token_call_credentials(token_of(self.kubeconfig)))


CHOSEN: ContextVar[Server | None] = ContextVar("server", default=None)  # as the options before the command say


def read(path: Path) -> bytes:
    """A file that the user named."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", "name files and directories that you may read") from None


def token_of(kubeconfig: Path) -> str:
    """The bearer token of its current context, from a plugin if it says so. CommandError if it has none."""
    from kubernetes_asyncio import client, config  # noqa: PLC0415 - a quarter of a second that other commands need not wait

    settings = client.Configuration()
    try:
        asyncio.run(config.load_kube_config(str(kubeconfig), client_configuration=settings))
    except (config.ConfigException, OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:  # as it fails on other YAML
        raise CommandError(f"{kubeconfig} is no usable kubeconfig ({type(error).__name__})", "see: kubectl config view") from None
    kind, _, token = str(settings.api_key.get("BearerToken", "")).partition(" ")
    if kind != BEARER or not token:
        instead = "show a client certificate instead, with --tls DIR: an administrator's lies in the Secret chaperone-tls-admin"
        raise CommandError(f"the current context of {kubeconfig} has no token", instead)
    return token
