"""A question to a code server is asked once more when nobody is there, in each of the ways to ask."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from dagster._grpc.__generated__ import dagster_api_pb2, dagster_api_pb2_grpc

from phems.engine._dagster import DagsterUserCodeUnreachableError
from phems.engine.code_server_client import CodeServerClient

PARTS = 3


class Interrupted(dagster_api_pb2_grpc.DagsterApiServicer):
    """Answers from the `answers_at`th question on; before that it breaks off, in the middle of parts."""

    def __init__(
        self, answers_at: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, name: str = "me"
    ) -> None:
        self.asked: Counter[str] = Counter()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._name = name
        self._answers_at = answers_at
        self._code = code

    def _is_cut_off(self, what: str) -> bool:
        self.asked[what] += 1
        return self.asked[what] < self._answers_at

    def GetServerId(self, _request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if self._is_cut_off("GetServerId"):
            context.abort(self._code, "gone")
        return dagster_api_pb2.GetServerIdReply(server_id=self._name)

    def StreamingPing(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        is_cut_off = self._is_cut_off("StreamingPing")
        assert self.may_answer.wait(30)
        for number in range(PARTS):
            if is_cut_off and number == PARTS - 1:
                context.abort(self._code, "gone")
            yield dagster_api_pb2.StreamingPingEvent(sequence_number=number, echo=request.echo)


@contextmanager
def served(servicer: Interrupted, folder: Path, socket: str = "s") -> Iterator[CodeServerClient]:
    place = folder / socket
    server = grpc.server(ThreadPoolExecutor(2))
    dagster_api_pb2_grpc.add_DagsterApiServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{place}")
    server.start()
    try:
        yield CodeServerClient("heart", place)
    finally:
        server.stop(None).wait()


async def parts_of(client: CodeServerClient) -> list[Any]:
    """As `streaming_ping`, which Dagster has in one of the two ways alone."""
    asked = client._gen_streaming_query(
        "StreamingPing", dagster_api_pb2.StreamingPingRequest, sequence_length=PARTS, echo="e"
    )
    return [part async for part in asked]


WAYS: dict[str, Callable[[CodeServerClient], Any]] = {
    "whole": lambda client: client.get_server_id(),
    "whole, awaited": lambda client: (
        asyncio.run(client._gen_query("GetServerId", dagster_api_pb2.Empty)).server_id
    ),
    "parts": lambda client: [part["sequence_number"] for part in client.streaming_ping(PARTS, "e")],
    "parts, awaited": lambda client: [part.sequence_number for part in asyncio.run(parts_of(client))],
}
ANSWERS = {"whole": "me", "parts": list(range(PARTS))}


@pytest.mark.parametrize("way", WAYS)
def test_a_question_that_is_cut_off_is_asked_once_more(way: str, tmp_path: Path) -> None:
    """Otherwise who asks while a host is replaced is told that nobody is there, or gets parts twice."""
    servicer = Interrupted(answers_at=2)
    with served(servicer, tmp_path) as client:
        assert WAYS[way](client) == ANSWERS[way.partition(",")[0]]
    assert set(servicer.asked.values()) == {2}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_asked_no_third_time_and_whoever_asked_is_told_what_to_do(way: str, tmp_path: Path) -> None:
    """Otherwise a host that dies of a question dies of it for ever."""
    servicer = Interrupted(answers_at=4)
    with (
        served(servicer, tmp_path) as client,
        pytest.raises(DagsterUserCodeUnreachableError, match=r"host of project heart .* Remedy: try again"),
    ):
        WAYS[way](client)
    assert set(servicer.asked.values()) == {2}


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_is_an_error_is_the_answer(way: str, tmp_path: Path) -> None:
    """Otherwise what project code fails at is done twice, and told as something else."""
    servicer = Interrupted(answers_at=2, code=grpc.StatusCode.INTERNAL)
    with (
        served(servicer, tmp_path) as client,
        pytest.raises(DagsterUserCodeUnreachableError, match="gRPC Error code: INTERNAL"),
    ):
        WAYS[way](client)
    assert set(servicer.asked.values()) == {1}


def test_who_takes_over_the_socket_is_asked_though_another_is_still_answering(tmp_path: Path) -> None:
    """Otherwise people are shown old definitions as those of a new revision while a sensor looks long."""
    old, new = Interrupted(1, name="old"), Interrupted(1, name="new")
    old.may_answer.clear()
    with (
        served(old, tmp_path) as client,
        served(new, tmp_path, "t"),
        ThreadPoolExecutor(1) as asking,
    ):
        long_one = asking.submit(WAYS["parts"], client)
        while not old.asked["StreamingPing"]:
            assert not long_one.done()
        (tmp_path / "t").rename(tmp_path / "s")
        assert client.get_server_id() == "new"
        old.may_answer.set()
        assert long_one.result(30) == ANSWERS["parts"]
