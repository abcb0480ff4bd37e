"""Gives each request an id: it stands in every line of the log that the request leads to, and in its answer.

Who sends one that is a UUID, or as many hexadecimal digits, has it taken: then the lines of a proxy and those
of the node are found together. Anything else would be a text of who asks, in the node's log.
"""

from __future__ import annotations

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.adapters.node_log import request_id

HEADER = "X-Request-Id"
WELL_FORMED = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


class RequestIds:
    """ASGI middleware; the outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, under an id."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        known = given.lower() if WELL_FORMED.fullmatch(given) else str(uuid.uuid4())

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = known
            await send(message)

        before = request_id.set(known)
        try:
            await self._app(scope, receive, answered)
        finally:
            request_id.reset(before)
