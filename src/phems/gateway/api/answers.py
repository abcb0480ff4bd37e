"""How files leave through the API: as attachments that no browser runs, in chunks, and kept by no cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What a step or an author wrote is hostile: even opened by itself it runs no script and has no origin.
INERT: Mapping[str, str] = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class NotKept:
    """Tells every cache to keep nothing: answers depend on who asks, and on the moment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the header added to the answer."""

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_header)


def attachment(
    chunks: Iterable[bytes],
    *,
    name: str,
    media_type: str = "application/octet-stream",
    size: int | None = None,
) -> StreamingResponse:
    """A file to be saved, never shown; with its `size` in bytes, a stream that breaks is noticed."""
    headers = {**INERT, "Content-Disposition": disposition(name)}
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(chunks, media_type=media_type, headers=headers)


def disposition(name: str) -> str:
    """The Content-Disposition of an attachment (RFC 6266): the name as it is, and in plain ASCII."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
