"""The one door: every request and WebSocket passes here, and goes on only on behalf of somebody.

In order: the Host header must be the gateway's, what a browser may have been tricked to send must come
from our own pages, and everything but the sign-in page and webhooks needs a session or a token. A cookie
counts only with our own Origin, since browsers send it by themselves; a token is never sent by itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phems.domain.authority import Authority
from phems.domain.coordinators import COORDINATOR_TOKEN_PREFIX
from phems.errors import PhemsError, RefusedError
from phems.gateway.accounts import Accounts, CoordinatorTokens
from phems.gateway.callers import Caller, Credential, calling
from phems.gateway.code_webhooks import IS_WEBHOOK
from phems.gateway.open_requests import OpenRequests
from phems.gateway.origins import host_is_known, origin_is_own
from phems.gateway.pages import STATIC
from phems.gateway.probes import PROBE_PATHS
from phems.gateway.rate_limits import RateLimiter
from phems.gateway.replies import enrol_first, error_reply, refuse, sign_in_first
from phems.gateway.settings import GatewaySettings

SESSION_COOKIE = "phems_session"
HEALTH_PATH = "/healthz"
EVENTS_PATH = "/events"
"""The one answer that does not end by itself: see `phems.gateway.events`."""
RELEASES_PATH = "/api/releases"
"""All that a coordinator's token opens: see `phems.gateway.api.releases`."""
API_SIGN_IN_PATH = "/api/sign-in"
OIDC_PATH = "/login/oidc"
OIDC_BACK_PATH = "/login/oidc/back"
CODE_PATH = "/login/code"
SECOND_FACTOR_PATH = "/account/second-factor"
ENROLMENT_PATHS = frozenset(
    {SECOND_FACTOR_PATH, f"{SECOND_FACTOR_PATH}/begin", f"{SECOND_FACTOR_PATH}/confirm", "/logout"}
)
"""All that is open to who must set up a second factor first."""
PUBLIC_PATHS = frozenset({"/login", CODE_PATH, API_SIGN_IN_PATH, OIDC_PATH, OIDC_BACK_PATH, *STATIC})
SAFE_METHODS = frozenset({"GET", "HEAD"})
WEBSOCKET_CHECK_SECONDS = 15.0
SESSION_ENDED_CODE = 4401
_KEPT_ANSWERS = 1000


class Identities:
    """Who a session or token stands for. An answer is kept for a moment: a page asks for 50 files at once."""

    def __init__(
        self, accounts: Accounts, keep_seconds: float, coordinators: CoordinatorTokens | None = None
    ) -> None:
        self._accounts = accounts
        self._coordinators = coordinators
        self._keep_seconds = keep_seconds
        self._recent: dict[tuple[Credential, str], tuple[Authority, float]] = {}

    async def who(self, credential: Credential, secret: str) -> Authority | None:
        """The person, or None; PhemsError when that cannot be found out."""
        key = (credential, secret)
        known, until = self._recent.get(key, (None, 0.0))
        if known is not None and time.monotonic() < until:
            return known
        found = await run_in_threadpool(self._ask, credential, secret)
        if found is None:
            self._recent.pop(key, None)
            return None
        if len(self._recent) >= _KEPT_ANSWERS:
            self._recent.clear()
        self._recent[key] = (found, time.monotonic() + self._keep_seconds)
        return found

    def forget(self, credential: Credential, secret: str) -> None:
        """Ask anew next time."""
        self._recent.pop((credential, secret), None)

    def forget_everybody(self) -> None:
        """Ask anew about each: a session or token was ended by its name."""
        self._recent.clear()

    def _ask(self, credential: Credential, secret: str) -> Authority | None:
        if credential is Credential.SESSION:
            return self._accounts.session_user(secret)
        if credential is Credential.COORDINATOR:
            actor = self._coordinators.authenticate(secret) if self._coordinators is not None else None
            return None if actor is None else Authority(actor)
        try:
            return self._accounts.authenticate_token(secret)
        except RefusedError:
            return None


class Door:
    """ASGI middleware around everything that the gateway serves."""

    def __init__(
        self,
        app: ASGIApp,
        identities: Identities,
        settings: GatewaySettings,
        limiter: RateLimiter | None = None,
        opened: OpenRequests | None = None,
    ) -> None:
        self._app = app
        self._identities = identities
        self._settings = settings
        self._limiter = limiter or RateLimiter(None)
        self._opened = opened or OpenRequests(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or let through with the caller's name in the context."""
        if scope["type"] not in {"http", "websocket"}:
            return
        connection = HTTPConnection(scope)
        if scope["type"] == "http" and scope["path"] == HEALTH_PATH:
            await JSONResponse({"status": "ok"})(scope, receive, send)
            return
        caller, refusal = await self._judge(connection)
        if refusal is not None:
            await refuse(refusal, scope, receive, send)
        elif caller is None:
            await self._app(scope, receive, send)
        else:
            with calling(caller), self._opened.open(connection, caller):
                if scope["type"] == "websocket" or scope["path"] == EVENTS_PATH:
                    send = _WatchedSend(send, lambda: self._identify(connection), _END[scope["type"]])
                await self._app(scope, receive, send)

    async def _judge(self, connection: HTTPConnection) -> tuple[Caller | None, Response | None]:
        """Who asks, if anybody known; and the refusal, if there is a reason for one."""
        caller: Caller | None = None
        refusal: Response | None = None
        if _is_at(connection, PROBE_PATHS) and connection.scope["method"] in SAFE_METHODS:
            # By whatever name it is asked, signed in or not: what it tells depends on who asks.
            if credential_of(connection)[1]:
                caller, _ = await self._identify(connection)
        else:
            refusal = self._foreign(connection)
            if refusal is None and not _is_at(connection, PUBLIC_PATHS) and not _is_webhook(connection):
                caller, refusal = await self._identify(connection)
                if refusal is not None:
                    refusal = self._limiter.stranger(connection) or refusal
        if refusal is None:
            refusal = self._limiter.request(connection, caller)
        if refusal is None and caller is not None:
            refusal = self._opened.one_too_many(connection, caller)
        return caller, refusal

    def _foreign(self, connection: HTTPConnection) -> Response | None:
        """The refusal of a request that another web page may have caused."""
        hosts = connection.headers.getlist("host")
        if len(hosts) != 1 or not host_is_known(hosts[0], self._settings.host_names):
            error = RefusedError(
                "This node does not go by that name.",
                why="The address in the request is not one that the gateway answers to.",
                remedy="Use the address that `phems serve` prints.",
            )
            return error_reply(connection, error, status=421)
        if connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS:
            return None
        tls = self._settings.tls or connection.scope["scheme"] in {"https", "wss"}
        origins = connection.headers.getlist("origin")
        if not origins and SESSION_COOKIE not in connection.cookies:
            return None
        if len(origins) == 1 and origin_is_own(origins[0], hosts[0], tls=tls):
            return None
        error = RefusedError(
            "The request does not come from this node's own pages.",
            why="Its Origin header is missing or names another site: it may not be your doing.",
            remedy="Work in the node's own pages, or send a token instead of a cookie.",
        )
        return error_reply(connection, error)

    async def _identify(self, connection: HTTPConnection) -> tuple[Caller | None, Response | None]:
        credential, secret = credential_of(connection)
        if not secret:
            return None, sign_in_first(connection, "The request has neither a session nor a token.")
        try:
            authority = await self._identities.who(credential, secret)
        except PhemsError as error:
            return None, error_reply(connection, error)
        if authority is None:
            why = f"The {credential.value} is unknown, expired or revoked."
            return None, sign_in_first(connection, why)
        if credential is Credential.COORDINATOR and not _is_for_coordinators(connection):
            return None, error_reply(connection, for_people())
        if authority.must_enrol and not _is_at(connection, ENROLMENT_PATHS):
            return None, enrol_first(connection, SECOND_FACTOR_PATH)
        return Caller(authority.actor, credential, authority), None


_END: Mapping[str, Message] = {
    "websocket": {"type": "websocket.close", "code": SESSION_ENDED_CODE, "reason": "session ended"},
    "http": {"type": "http.response.body", "body": b"", "more_body": False},
}


class _WatchedSend:
    """What a WebSocket or stream sends while its session lasts: looked at now and then, not at each message.

    A stream has its heartbeats, so that one where nothing happens ends too.
    """

    def __init__(self, send: Send, identify: Any, end: Message) -> None:
        self._send = send
        self._identify = identify
        self._end = end
        self._checked = time.monotonic()
        self._ended = False

    async def __call__(self, message: Message) -> None:
        if self._ended:
            return
        if time.monotonic() - self._checked > WEBSOCKET_CHECK_SECONDS:
            self._checked = time.monotonic()
            _, refusal = await self._identify()
            if refusal is not None:
                self._ended = True
                message = self._end
        await self._send(message)


def credential_of(connection: HTTPConnection) -> tuple[Credential, str]:
    """What the request is signed in with; an Authorization header goes before a cookie."""
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, given = authorization.partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else ""
        is_coordinators = token.startswith(COORDINATOR_TOKEN_PREFIX)
        return Credential.COORDINATOR if is_coordinators else Credential.TOKEN, token
    return Credential.SESSION, connection.cookies.get(SESSION_COOKIE, "")


def for_people() -> RefusedError:
    """The refusal of a coordinator's token anywhere but at the released packages."""
    return RefusedError(
        "A coordinator's token does not open this part of the node.",
        why="it is for released packages alone.",
        remedy=f"GET {RELEASES_PATH}",
    )


def _is_for_coordinators(connection: HTTPConnection) -> bool:
    path = connection.scope["path"]
    reads = connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS
    return reads and (path == RELEASES_PATH or path.startswith(RELEASES_PATH + "/"))


def _is_webhook(connection: HTTPConnection) -> bool:
    """A delivery is signed with a secret of its own, which `phems.gateway.code_webhooks` verifies."""
    scope = connection.scope
    return (
        scope["type"] == "http" and scope["method"] == "POST" and IS_WEBHOOK.match(scope["path"]) is not None
    )


def _is_at(connection: HTTPConnection, paths: frozenset[str]) -> bool:
    # The path of the scope, which is what is routed; that of the URL is made with the Host header.
    return connection.scope["type"] == "http" and connection.scope["path"] in paths
