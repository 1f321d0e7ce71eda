import asyncio
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import grpc
import pytest

from chaperone.collector.serve.query import MESSAGE_AIM, ROWS_PER_MESSAGE, QueryService, lacks, portions
from chaperone.proto.query_pb2 import Question, Rows
from chaperone.proto.query_pb2_grpc import QueryStub, add_QueryServicer_to_server


async def answer(name: str, parameters: str) -> list[dict[str, Any]]:
    if name == "bad":
        raise ValueError("no question is called 'bad'")
    if name == "partial":
        lacks(["a is missing", "b is missing"])
        lacks(["a is missing"])
    return [{"n": n, "asked": json.loads(parameters)} for n in range(ROWS_PER_MESSAGE + 1)] if name == "many" else []


def asked(tmp_path: Path, name: str) -> list[Rows]:
    async def run() -> list[Rows]:
        server = grpc.aio.server()
        add_QueryServicer_to_server(QueryService(answer, nullcontext()), server)
        server.add_insecure_port(f"unix:{tmp_path}/s")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
                return [rows async for rows in QueryStub(channel).Ask(Question(name=name, parameters='{"a": "ü"}'), timeout=60)]
        finally:
            await server.stop(0)

    return asyncio.run(run())


def test_rows_come_in_order_in_several_messages(tmp_path: Path) -> None:
    messages = asked(tmp_path, "many")
    rows = [row for message in messages for row in json.loads(message.json)]
    assert len(messages) == 2
    assert [row["n"] for row in rows] == list(range(ROWS_PER_MESSAGE + 1))
    assert rows[0]["asked"] == {"a": "ü"}


def test_no_rows_are_no_message(tmp_path: Path) -> None:
    assert asked(tmp_path, "none") == []


def test_whose_rows_are_missing_is_said_behind_those_that_are_there(tmp_path: Path) -> None:
    assert asked(tmp_path, "partial") == [Rows(json="[]", missing=["a is missing", "b is missing"])]
    lacks(["nobody is asked anything"])
    assert asked(tmp_path, "none") == []


def test_a_bad_question_is_the_askers_fault_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        asked(tmp_path, "bad")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "no question is called 'bad'"


def test_large_rows_come_in_messages_of_their_own() -> None:
    rows = [{"body": "x" * MESSAGE_AIM} for _ in range(3)]
    assert [len(json.loads(part)) for part in portions(rows)] == [1, 1, 1]
