"""Signing in at the identity provider, as a browser sees it: away from here, and back.

Coming back is a GET from another site, with a cookie of its own that is sent along (SameSite=Lax) and opens
nothing by itself. The session's cookie is strict: a browser would not send it on a redirect that another site
began. So the answer is a small page that goes on by itself.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phems.errors import PhemsError
from phems.gateway.accounts import Accounts
from phems.gateway.door import OIDC_BACK_PATH, OIDC_PATH
from phems.gateway.forms import client_of
from phems.gateway.origins import local_path
from phems.gateway.pages import render
from phems.gateway.settings import GatewaySettings
from phems.gateway.sign_in import SignIn, is_secure

COOKIE = "phems_sign_in"


class OidcSignIn:
    """The two addresses, as routes."""

    def __init__(self, accounts: Accounts, sign_in: SignIn, settings: GatewaySettings) -> None:
        self._accounts = accounts
        self._sign_in = sign_in
        self._settings = settings

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route(OIDC_PATH, self.begin, methods=["GET"]),
            Route(OIDC_BACK_PATH, self.finish, methods=["GET"]),
        ]

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        next_path = local_path(request.query_params.get("next"))
        try:
            begun = await run_in_threadpool(self._accounts.begin_oidc, self._redirect_uri(request), next_path)
        except PhemsError as error:
            return self._sign_in.page(next_path=next_path, error=error)
        answer = RedirectResponse(begun.address, status_code=303)
        answer.set_cookie(
            COOKIE,
            begun.browser,
            max_age=600,
            path=OIDC_BACK_PATH,
            httponly=True,
            samesite="lax",
            secure=is_secure(request, self._settings),
        )
        return answer

    async def finish(self, request: Request) -> Response:
        """The browser is back: a session, when the provider's word holds."""
        client = client_of(request)
        try:
            found = await run_in_threadpool(
                self._accounts.finish_oidc,
                self._redirect_uri(request),
                dict(request.query_params),
                request.cookies.get(COOKIE, ""),
            )
            answer = render("signed_in.html", {"title": "You are signed in", "next": found.next_path})
            await self._sign_in.enter(request, answer, found.actor, client, "oidc", found.groups)
        except PhemsError as error:
            answer = self._sign_in.page(next_path="/", error=error)
        answer.delete_cookie(
            COOKIE,
            path=OIDC_BACK_PATH,
            httponly=True,
            samesite="lax",
            secure=is_secure(request, self._settings),
        )
        return answer

    def _redirect_uri(self, request: Request) -> str:
        scheme = "https" if is_secure(request, self._settings) else "http"
        own = self._settings.public_url or f"{scheme}://{request.headers['host']}"
        return own + OIDC_BACK_PATH
