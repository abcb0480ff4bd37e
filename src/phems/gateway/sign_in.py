"""Signing in and out: the login page, the account page, and the session cookie."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phems.errors import InputError, PhemsError
from phems.gateway.accounts import Accounts
from phems.gateway.callers import Credential, current_caller
from phems.gateway.door import SESSION_COOKIE, Identities
from phems.gateway.origins import local_path
from phems.gateway.pages import render
from phems.gateway.replies import error_reply
from phems.gateway.settings import GatewaySettings

# A password hash takes 64 MiB and much of a core: more at once would starve everything else.
HASHES_AT_ONCE = 2
FORM = "application/x-www-form-urlencoded"


class SignIn:
    """The pages around signing in, as routes."""

    def __init__(self, accounts: Accounts, identities: Identities, settings: GatewaySettings) -> None:
        self._accounts = accounts
        self._identities = identities
        self._settings = settings
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route("/login", self.form, methods=["GET"]),
            Route("/login", self.sign_in, methods=["POST"]),
            Route("/logout", self.sign_out, methods=["POST"]),
            Route("/account", self.account, methods=["GET"]),
        ]

    async def form(self, request: Request) -> Response:
        """The sign-in page."""
        return self._form(next_path=local_path(request.query_params.get("next")))

    async def sign_in(self, request: Request) -> Response:
        """Check name and password; a new session, and on to where the person wanted to go."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return error_reply(request, InputError("The sign-in form is sent as a form."), status=415)
        fields = _fields(await request.body())
        next_path = local_path(fields.get("next"))
        name = fields.get("name", "").strip()
        try:
            async with self._hashing:
                actor = await run_in_threadpool(
                    self._accounts.authenticate_password, name, fields.get("password", "")
                )
            session = await run_in_threadpool(self._accounts.open_session, actor)
        except PhemsError as error:
            return self._form(next_path=next_path, name=name, error=error)
        await self._close(request)
        answer = RedirectResponse(next_path, status_code=303)
        answer.set_cookie(
            SESSION_COOKIE,
            session.secret,
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._is_secure(request),
        )
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await self._close(request)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(
            SESSION_COOKIE, path="/", httponly=True, samesite="strict", secure=self._is_secure(request)
        )
        return answer

    async def account(self, _request: Request) -> Response:
        """Who is signed in, with which roles, and the button to sign out."""
        caller = current_caller.get()
        assert caller is not None, "the door lets nobody through without a caller"  # noqa: S101
        membership = self._settings.membership
        where: Mapping[str, str | None] = {
            "This node": None,
            **{f"Project {project}": project for project in membership.projects},
        }
        node_wide = membership.roles(caller.name)
        places = []
        for place, project in where.items():
            roles = membership.roles(caller.name, project) - (node_wide if project else frozenset())
            if roles:
                places.append((place, ", ".join(role.title for role in sorted(roles))))
        values = {
            "title": "Your account",
            "name": caller.name,
            "places": places,
            "has_session": caller.credential is Credential.SESSION,
        }
        return render("account.html", values)

    def _form(self, *, next_path: str, name: str = "", error: PhemsError | None = None) -> Response:
        values = {
            "title": "Error: sign in" if error else "Sign in",
            "node": self._settings.title,
            "next": next_path,
            "name": name,
            "error": error,
        }
        return render("login.html", values, status=403 if error else 200)

    async def _close(self, request: Request) -> None:
        session = request.cookies.get(SESSION_COOKIE)
        if session:
            await run_in_threadpool(self._accounts.close_session, session)
            self._identities.forget(Credential.SESSION, session)

    def _is_secure(self, request: Request) -> bool:
        return self._settings.tls or request.scope["scheme"] == "https"


def _fields(body: bytes) -> dict[str, str]:
    parsed = parse_qs(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[-1] for name, values in parsed.items()}
