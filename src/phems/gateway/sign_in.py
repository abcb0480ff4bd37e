"""Signing in and out: the login page and the session cookie."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phems.domain.actors import Actor
from phems.errors import InputError, PhemsError
from phems.gateway.accounts import Accounts
from phems.gateway.callers import Credential
from phems.gateway.door import CODE_PATH, OIDC_PATH, SESSION_COOKIE, Identities
from phems.gateway.forms import client_of, form_fields
from phems.gateway.origins import local_path
from phems.gateway.pages import render
from phems.gateway.problems import status_of
from phems.gateway.replies import error_reply
from phems.gateway.settings import GatewaySettings
from phems.services.password_sign_ins import HalfSignIn, PasswordSignIn
from phems.services.user_sessions import Client

# A password hash takes 64 MiB and much of a core: more at once would starve everything else.
HASHES_AT_ONCE = 2


class SignIn:
    """The pages around signing in, as routes."""

    def __init__(self, accounts: Accounts, identities: Identities, settings: GatewaySettings) -> None:
        self._accounts = accounts
        self._identities = identities
        self._settings = settings
        self.hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/login", self.form, methods=["GET"]),
            Route("/login", self.sign_in, methods=["POST"]),
            Route(CODE_PATH, self.give_code, methods=["POST"]),
            Route("/logout", self.sign_out, methods=["POST"]),
        ]

    async def form(self, request: Request) -> Response:
        """The sign-in page."""
        return self.page(next_path=local_path(request.query_params.get("next")))

    async def sign_in(self, request: Request) -> Response:
        """Check name and password; a new session, and on to where the person wanted to go."""
        fields = await form_fields(request)
        if fields is None:
            return error_reply(request, InputError("The sign-in form is sent as a form."), status=415)
        client = client_of(request)
        next_path = local_path(fields.get("next"))
        name = fields.get("name", "").strip()
        try:
            async with self.hashing:
                found = await run_in_threadpool(
                    self._accounts.begin_password, name, fields.get("password"), client.address, next_path
                )
            if isinstance(found, HalfSignIn):
                return self._code_page(found.secret)
            return await self._entered(request, found, client)
        except PhemsError as error:
            return self.page(next_path=next_path, name=name, error=error)

    async def give_code(self, request: Request) -> Response:
        """The second step of who has a second factor: a code, beside the password that was right."""
        fields = await form_fields(request)
        if fields is None:
            return error_reply(request, InputError("The sign-in form is sent as a form."), status=415)
        client, half = client_of(request), fields.get("half")
        try:
            found = await run_in_threadpool(
                self._accounts.finish_password, half, fields.get("code"), client.address
            )
            return await self._entered(request, found, client)
        except PhemsError as error:
            return self._code_page(half, error)

    async def _entered(self, request: Request, found: PasswordSignIn, client: Client) -> Response:
        answer = RedirectResponse(found.next_path, status_code=303)
        await self.enter(request, answer, found.actor, client, found.method)
        return answer

    async def enter(
        self,
        request: Request,
        answer: Response,
        actor: Actor,
        client: Client,
        method: str,
        groups: Collection[str] = (),
    ) -> None:
        """A new session for who has signed in, in the answer's cookie; the one of before ends."""
        session = await run_in_threadpool(
            lambda: self._accounts.open_session(actor, client, method=method, groups=groups)
        )
        await self._close(request)
        answer.set_cookie(
            SESSION_COOKIE,
            session.secret,
            path="/",
            httponly=True,
            samesite="strict",
            secure=is_secure(request, self._settings),
        )

    async def authenticated(self, name: str, password: str, code: str, client: Client) -> Actor:
        """Who signs in with a name, a password and, where it is asked for, a code, all at once."""
        async with self.hashing:
            return await run_in_threadpool(
                self._accounts.authenticate_password, name, password, client.address, code
            )

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await self._close(request)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(
            SESSION_COOKIE,
            path="/",
            httponly=True,
            samesite="strict",
            secure=is_secure(request, self._settings),
        )
        return answer

    def page(self, *, next_path: str, name: str = "", error: PhemsError | None = None) -> Response:
        """The sign-in page, with each way that node.yaml allows, and what went wrong."""
        ways = self._accounts.ways()
        values = {
            "local": ways.local,
            "provider": ways.provider,
            "provider_path": f"{OIDC_PATH}?next={quote(next_path, safe='')}",
            "title": "Error: sign in" if error else "Sign in",
            "node": self._settings.title,
            "next": next_path,
            "name": name,
            "error": error,
        }
        return render("login.html", values, status=status_of(error) if error else 200)

    def _code_page(self, half: str, error: PhemsError | None = None) -> Response:
        values = {
            "title": "Error: sign in" if error else "Sign in",
            "node": self._settings.title,
            "half": half,
            "error": error,
        }
        return render("login_code.html", values, status=status_of(error) if error else 200)

    async def _close(self, request: Request) -> None:
        session = request.cookies.get(SESSION_COOKIE)
        if session:
            await run_in_threadpool(self._accounts.close_session, session)
            self._identities.forget(Credential.SESSION, session)


def is_secure(request: Request, settings: GatewaySettings) -> bool:
    """Whether the browser came by https, so that its cookies are for https alone."""
    return settings.tls or request.scope["scheme"] == "https"
