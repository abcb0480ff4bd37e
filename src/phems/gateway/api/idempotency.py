"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): an act that is sent twice is done once.

A caller who did not get the answer sends the act again with the same key. It is answered as before, with
`Idempotent-Replayed: true`. What holds when the node is stopped in between is said in
`phems.services.idempotency`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.domain.idempotency import Claim, KeptAnswer, parse_key
from phems.errors import BusyError, InputError, PhemsError
from phems.gateway.api.asking import GIVES_SECRET
from phems.gateway.api.use_cases import UseCases
from phems.gateway.callers import Caller, current_caller
from phems.gateway.problems import problem_reply
from phems.services.idempotency import acting_under

_LOG = logging.getLogger("phems.api")

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
_KEPT_HEADERS = ("content-type", "etag")
_DEPENDS_ON = ("content-type", "if-match")


class OncePerKey:
    """Has an act under a key done once. Whoever asks must be known by now."""

    def __init__(self, app: ASGIApp, cases: UseCases) -> None:
        self._app = app
        self._cases = cases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, unless the act was done before."""
        caller = current_caller.get()
        given = Headers(scope=scope).getlist(KEY_HEADER) if scope["type"] == "http" else []
        if not given or scope["method"] != "POST" or caller is None:
            await self._app(scope, receive, send)
            return
        try:
            key, body = parse_key(given), await _body(receive)
            keys = self._cases.idempotency_keys
            begun = await run_in_threadpool(keys.begin, caller.name, key, _asked(scope, body, caller))
        except PhemsError as error:
            later = {"Retry-After": "1"} if isinstance(error, BusyError) else {}
            await problem_reply(error, headers=later)(scope, receive, send)
            return
        except HTTPException as error:
            reply = problem_reply(InputError(error.detail), status=error.status_code)
            await reply(scope, receive, send)
            return
        if isinstance(begun, KeptAnswer):
            headers = {**begun.headers, REPLAYED_HEADER: "true"}
            await Response(begun.body, begun.status, headers)(scope, receive, send)
            return
        for message in await self._acted(begun, scope, body):
            await send(message)

    async def _acted(self, claim: Claim, scope: Scope, body: bytes) -> list[Message]:
        """Act, and keep the answer before anybody has it."""
        told: list[Message] = []
        answer: KeptAnswer | None = None

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            told.append(message)

        try:
            with acting_under(claim):
                await self._app(scope, receive, send)
            answer = _kept(scope, told)
        finally:
            if answer is None:
                self._cases.idempotency_keys.end(claim, None)
        try:
            await run_in_threadpool(self._cases.idempotency_keys.end, claim, answer)
        except PhemsError as error:
            # Done is done: who waits is told so. Asked again, the key says that the answer is lost.
            _LOG.warning("the answer to an act was not kept: %s", error)
        return told


def _asked(scope: Scope, body: bytes, caller: Caller) -> bytes:
    """All that makes a request another one: each part with its length before it, so that none runs on.

    The scope of the token is part of it: one for less must not be told what one for more was answered.
    """
    headers = Headers(scope=scope)
    may = str(caller.authority.scope if caller.authority is not None else None)
    parts = [scope["path"].encode(), scope["query_string"], body, may.encode()]
    parts += [",".join(headers.getlist(name)).encode("latin-1") for name in _DEPENDS_ON]
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise HTTPException(400, detail="The request was broken off.")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _kept(scope: Scope, told: list[Message]) -> KeptAnswer | None:
    if not told:
        return None
    headers = Headers(raw=told[0]["headers"])
    body = b"".join(message.get("body", b"") for message in told[1:])
    return KeptAnswer(
        status=told[0]["status"],
        headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        body=None if _gives_secret(scope) and told[0]["status"] < 400 else body,  # noqa: PLR2004
    )


def _gives_secret(scope: Scope) -> bool:
    extra: Mapping[str, object] = getattr(scope.get("route"), "openapi_extra", None) or {}
    return bool(extra.get(GIVES_SECRET))
