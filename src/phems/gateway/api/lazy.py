"""The API as the gateway mounts it: made when it is first asked for; a node at rest does not hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from phems.gateway.api.use_cases import UseCases


class LazyApi:
    """An ASGI application that is built by its first request."""

    def __init__(self, cases: UseCases) -> None:
        self._cases = cases
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if self._app is None:
            # In a thread: importing takes a moment in which others would wait. Twice does no harm.
            self._app = await run_in_threadpool(self._build)
        await self._app(scope, receive, send)

    def _build(self) -> ASGIApp:
        from phems.gateway.api.app import create_api

        return create_api(self._cases)
