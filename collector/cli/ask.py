"""Ask an open store named questions (store/queries.py) through its socket."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer

from chaperone.collector.cli.connect import reach
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.cli.server import CHOSEN, Server
from chaperone.collector.cli.show.escape import escape
from chaperone.collector.settings import store_directory
from chaperone.collector.store.directory import socket_target
from chaperone.proto import query_pb2
from chaperone.proto.query_pb2_grpc import QueryStub

Document = dict[str, Any]
StoreOption = Annotated[
    Path | None, typer.Option("--store", readable=False, help="Directory of the store [default: $CHAPERONE_STORE, or a standard place]")
]
Whom = Path | Server
TRIES = 3
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.default_authority", "localhost"))


def directory(option: Path | None) -> Path:
    """The store that an option, the environment or the user decides on."""
    return store_directory(option, os.environ, os.geteuid()).absolute()


def whom(option: Path | None) -> Whom:
    """Who is asked: the server that was named before the command, unless a store is named behind it."""
    return directory(option) if option else CHOSEN.get() or directory(None)


def ask(asked: Whom, question: str, **parameters: Any) -> Iterator[Document]:
    """Rows of a named question; whose are missing is said on stderr. CommandError with one sentence when it can't be answered."""
    return answers(asked, question, parameters, say_missing)


def say_missing(sentences: Iterable[str]) -> None:
    """Name collectors that did not answer."""
    for sentence in sentences:
        typer.echo(f"Missing: {escape(sentence)}", err=True)


def answers(asked: Whom, question: str, parameters: Mapping[str, Any], lacks: Callable[[Iterable[str]], object]) -> Iterator[Document]:
    """The same; `lacks` is told whose rows are missing, a sentence each."""
    wanted = query_pb2.Question(name=question, parameters=json.dumps(parameters))
    for tries_left in reversed(range(TRIES)):
        with _line(asked) as channel:
            rows = QueryStub(channel).Ask(wanted)
            try:
                first = next(rows, None)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE and tries_left and isinstance(asked, Path):
                    continue  # it was just ending: another is started
                raise _said(error, asked) from None
            yield from _rows(first, rows, asked, lacks)
            return


def _line(asked: Whom) -> grpc.Channel:
    if isinstance(asked, Server):
        return asked.channel(OPTIONS[:1])
    reach(asked)
    return grpc.insecure_channel(socket_target(asked), OPTIONS)


def _rows(
    first: query_pb2.Rows | None, more: Iterator[query_pb2.Rows], asked: Whom, lacks: Callable[[Iterable[str]], object]
) -> Iterator[Document]:
    try:
        for rows in chain([first] if first else [], more):
            yield from json.loads(rows.json)
            if rows.missing:
                lacks(rows.missing)
    except grpc.RpcError as error:
        raise _said(error, asked) from None


def _said(error: grpc.RpcError, asked: Whom) -> CommandError:
    """The collector's own sentence for a question it refuses; else what happened to the connection."""
    sentence = error.details() or error.code().name
    if step := _STEPS.get(error.code()):
        return CommandError(sentence, step)
    if isinstance(asked, Server):
        return CommandError(
            f"the collector at {asked.address} does not answer: {sentence}", "see whether the address is right, and --ca or --tls"
        )
    return CommandError(f"the collector of {asked} failed: {sentence}", "try again; --debug shows more")


_STEPS = {
    grpc.StatusCode.INVALID_ARGUMENT: "chaperone sessions list and calls list show what there is",
    grpc.StatusCode.PERMISSION_DENIED: "ask whoever runs the cluster for the right, or name a session or -n NAMESPACE that you may see",
    grpc.StatusCode.UNAUTHENTICATED: "show a certificate with --tls DIR, or a valid token with --kubeconfig FILE",
}
