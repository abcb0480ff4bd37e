"""Dagster's client of a project's code server, for one whose hosts come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import grpc

from phems.engine._dagster import DagsterGrpcClient, DagsterUserCodeUnreachableError, max_rx_bytes


class CodeServerClient(DagsterGrpcClient):
    """Asks once more when an answer is cut off, and says of whom it was asked when there is none.

    A host that is replaced ends at once, whatever it is being asked; by then its successor answers at the
    same socket. A question may be asked twice: Dagster's daemons, too, ask again what nobody answered.
    """

    def __init__(self, project: str, socket: Path) -> None:
        self._project = project
        super().__init__(socket=str(socket))
        self._options = [
            ("grpc.max_receive_message_length", max_rx_bytes()),
            # One that has long been asked lends its connection to no other question: it may be to the host
            # that had this socket before.
            ("grpc.use_local_subchannel_pool", 1),
        ]

    @contextmanager
    def _channel(self) -> Iterator[grpc.Channel]:
        with grpc.insecure_channel(self._server_address, self._options) as channel:
            yield channel

    @asynccontextmanager
    async def _async_channel(self) -> AsyncIterator[grpc.aio.Channel]:
        async with grpc.aio.insecure_channel(self._server_address, self._options) as channel:
            yield channel

    def _get_response(self, *args: Any, **kwargs: Any) -> Any:
        return _once_more(partial(super()._get_response, *args, **kwargs))

    async def _gen_response(self, *args: Any, **kwargs: Any) -> Any:
        return await _once_more_awaited(partial(super()._gen_response, *args, **kwargs))

    # Whoever asks for an answer in parts puts them together before use: half of one is never passed on.

    def _get_streaming_response(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        ask = partial(super()._get_streaming_response, *args, **kwargs)
        yield from _once_more(lambda: list(ask()))

    async def _gen_streaming_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        ask = partial(super()._gen_streaming_response, *args, **kwargs)

        async def whole() -> list[Any]:
            return [part async for part in ask()]

        for part in await _once_more_awaited(whole):
            yield part

    def _raise_grpc_exception(self, e: Exception, *args: Any, **kwargs: Any) -> NoReturn:
        if not _nobody_is_there(e):
            super()._raise_grpc_exception(e, *args, **kwargs)
        raise DagsterUserCodeUnreachableError(
            f"The host of project {self._project} is not there: it died, or it is being replaced. "
            "Remedy: try again in a moment; phems status says how it is."
        ) from e


def _once_more(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except grpc.RpcError as error:
        if not _nobody_is_there(error):
            raise
    return ask()


async def _once_more_awaited(ask: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return await ask()
    except grpc.RpcError as error:
        if not _nobody_is_there(error):
            raise
    return await ask()


def _nobody_is_there(error: Exception) -> bool:
    # Errors of calls have a code, which its type does not declare.
    return (
        isinstance(error, grpc.RpcError)
        and getattr(error, "code", lambda: None)() is grpc.StatusCode.UNAVAILABLE
    )
