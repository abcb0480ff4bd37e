"""What holds for every answer and every body: security headers, and a limit on what is read."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.errors import InputError
from phems.gateway.replies import error_reply

CLOSED_FEATURES = (
    *("accelerometer", "autoplay", "bluetooth", "browsing-topics", "camera", "display-capture"),
    *("encrypted-media", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection"),
    *("local-fonts", "magnetometer", "microphone", "midi", "payment"),
    *("screen-wake-lock", "serial", "storage-access", "usb", "web-share", "xr-spatial-tracking"),
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "same-origin", not "no-referrer": with the latter browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    # What no page of a node needs: a script that got in could not use it either.
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in CLOSED_FEATURES),
}
# Files of this program, the same for everybody: only these may a browser, or a proxy, keep.
SAME_FOR_ALL = ("/static/", "/_next/static/", "/vendor/", "/favicon")
# A second policy: a browser holds a page to each of them, so Dagster's own pages are bound too.
SITE_POLICY = "; ".join(
    (
        *("frame-ancestors 'none'", "form-action 'self'", "connect-src 'self'", "base-uri 'none'"),
        *("object-src 'none'", "frame-src 'self'", "worker-src 'self' blob:", "manifest-src 'self'"),
        # Nothing is fetched from elsewhere: an address could carry out what a page shows.
        *("img-src 'self' data: blob:", "font-src 'self' data:", "media-src 'self'"),
    )
)


BODY_SECONDS = 60.0
"""How long a body may take: the largest one comes at 70 kB a second in this time."""


class SecurityHeaders:
    """Adds the headers that tell a browser what it must not do with our answers."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers added to the answer."""

        path = scope.get("path", "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.append("Content-Security-Policy", SITE_POLICY)
                if not path.startswith(SAME_FOR_ALL) or message["status"] >= 400:  # noqa: PLR2004
                    headers["Cache-Control"] = "no-store"
                if self._tls:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimit:
    """Refuses bodies over the limit: at once by their declared length, else as soon as they pass it."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, counting what is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not _fits(declared, self._max_bytes):
            error = InputError(
                "The request is too large.",
                why=f"The gateway reads at most {self._max_bytes} bytes.",
                remedy="Send less: run configs and queries fit well below the limit.",
            )
            await error_reply(HTTPConnection(scope), error, status=413)(scope, receive, send)
            return
        left = self._max_bytes
        # From here on: what is read while the answer is sent (that somebody has left) is not the body.
        until = time.monotonic() + BODY_SECONDS
        is_whole = False

        async def counted() -> Message:
            nonlocal left, is_whole
            if is_whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), until - time.monotonic())
            except TimeoutError:
                why = f"The body did not come within {BODY_SECONDS:.0f} s."
                raise HTTPException(408, detail=why, headers={"Connection": "close"}) from None
            is_whole = not message.get("more_body", False)
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, detail=f"The gateway reads at most {self._max_bytes} bytes.")
            return message

        await self._app(scope, counted, send)


def _fits(declared: str, limit: int) -> bool:
    # The length first: Python refuses to read numbers of thousands of digits, with an error.
    is_number = declared.isascii() and declared.isdigit() and len(declared) <= len(str(limit))
    return is_number and int(declared) <= limit
