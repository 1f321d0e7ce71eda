"""Ask an open store named questions (store/queries.py) through its socket."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer

from chaperone.collector.cli.connect import reach
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.settings import store_directory
from chaperone.collector.store.directory import socket_target
from chaperone.proto import query_pb2
from chaperone.proto.query_pb2_grpc import QueryStub

Document = dict[str, Any]
StoreOption = Annotated[
    Path | None, typer.Option("--store", readable=False, help="Directory of the store [default: $CHAPERONE_STORE, or a standard place]")
]
TRIES = 3
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.default_authority", "localhost"))


def directory(option: Path | None) -> Path:
    """The store that an option, the environment or the user decides on."""
    return store_directory(option, os.environ, os.geteuid()).absolute()


def ask(store: Path, question: str, **parameters: Any) -> Iterator[Document]:
    """Rows of a named question. CommandError with one sentence when it can't be answered."""
    asked = query_pb2.Question(name=question, parameters=json.dumps(parameters))
    for tries_left in reversed(range(TRIES)):
        reach(store)
        with grpc.insecure_channel(socket_target(store), OPTIONS) as channel:
            rows = QueryStub(channel).Ask(asked)
            try:
                first = next(rows, None)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE and tries_left:
                    continue  # it was just ending: another is started
                raise _said(error, store) from None
            yield from _rows(first, rows, store)
            return


def _rows(first: query_pb2.Rows | None, more: Iterator[query_pb2.Rows], store: Path) -> Iterator[Document]:
    if first is None:
        return
    yield from json.loads(first.json)
    try:
        for rows in more:
            yield from json.loads(rows.json)
    except grpc.RpcError as error:
        raise _said(error, store) from None


def _said(error: grpc.RpcError, store: Path) -> CommandError:
    """The collector's own sentence for a question it refuses; else what happened to the connection."""
    sentence = error.details() or error.code().name
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        return CommandError(sentence, "chaperone sessions list and calls list show what there is")
    return CommandError(f"the collector of {store} failed: {sentence}", "try again; --debug shows more")
