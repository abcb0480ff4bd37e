"""The account page: who is signed in, with which roles, and their sessions and tokens, to be ended here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phems.domain import sign_in
from phems.domain.actors import Actor
from phems.domain.authority import scope_of
from phems.errors import InputError, PhemsError, RefusedError
from phems.gateway.accounts import Accounts
from phems.gateway.callers import Caller, Credential, current_caller
from phems.gateway.door import Identities
from phems.gateway.forms import Form, form_fields
from phems.gateway.pages import render
from phems.gateway.replies import error_reply
from phems.gateway.settings import GatewaySettings

ACCOUNT_PATH = "/account"
LONGEST_DAYS = 3650

Act = Callable[[Actor, Form], Mapping[str, Any]]
Endpoint = Callable[[Request], Awaitable[Response]]


class AccountPage:
    """The page and its forms, as routes."""

    def __init__(self, accounts: Accounts, identities: Identities, settings: GatewaySettings) -> None:
        self._accounts = accounts
        self._identities = identities
        self._settings = settings

    def routes(self) -> list[Route]:
        """Their addresses."""
        forms: Mapping[str, Act] = {
            "/sessions/end": self._end_session,
            "/sessions/end-all": self._end_sessions,
            "/tokens": self._issue_token,
            "/tokens/revoke": self._revoke_token,
        }
        return [
            Route(ACCOUNT_PATH, self.show, methods=["GET"]),
            *(Route(ACCOUNT_PATH + path, self._taking(act), methods=["POST"]) for path, act in forms.items()),
        ]

    async def show(self, request: Request) -> Response:
        """Who is signed in, and what stands for them."""
        return await self._page(request, {})

    def _taking(self, act: Act) -> Endpoint:
        """An endpoint that does what a form asks."""

        async def done(request: Request, caller: Caller, form: Form) -> Response:
            try:
                told = await run_in_threadpool(act, caller.actor, form)
            except PhemsError as error:
                return await self._page(request, {"error": error}, status=400)
            self._identities.forget_everybody()
            # What can be shown once is shown at once; after anything else, reloading must not repeat it.
            return await self._page(request, told) if told else RedirectResponse(ACCOUNT_PATH, 303)

        return taking_form(done)

    def _end_session(self, actor: Actor, form: Form) -> Mapping[str, Any]:
        self._accounts.end_session(actor, actor.name, form.get("id"))
        return {}

    def _end_sessions(self, actor: Actor, _form: Form) -> Mapping[str, Any]:
        self._accounts.end_sessions(actor, actor.name)
        return {}

    def _issue_token(self, actor: Actor, form: Form) -> Mapping[str, Any]:
        days = form.get("days")
        if not (days.isascii() and days.isdigit() and 1 <= int(days[:5]) <= LONGEST_DAYS):
            raise InputError(
                "The token needs a number of days.", why=f"it lasts 1 to {LONGEST_DAYS} days.", remedy="90"
            )
        scope = scope_of(
            form.all("project"),
            [],
            read_only=form.get("read_only") == "yes",
            known=self._projects(actor.name),
        )
        made = self._accounts.issue_token(
            actor, actor.name, lifetime=timedelta(days=int(days)), label=form.get("label"), scope=scope
        )
        return {"new_token": made.secret}

    def _revoke_token(self, actor: Actor, form: Form) -> Mapping[str, Any]:
        self._accounts.revoke_token(actor, actor.name, form.get("id"))
        return {}

    async def _page(self, _request: Request, told: Mapping[str, Any], *, status: int = 200) -> Response:
        caller = the_caller()
        own = await run_in_threadpool(self._own, caller)
        values = {"title": "Your account", "error": None, "new_token": "", **own, **told}
        return render("account.html", values, status=status)

    def _own(self, caller: Caller) -> Mapping[str, Any]:
        """What the page says of somebody; sessions and tokens to who has signed in, not to a token."""
        signed_in = caller.credential is Credential.SESSION
        return {
            "name": caller.name,
            "places": self._places(caller.name),
            "projects": self._projects(caller.name),
            "days": sign_in.TOKEN_LIFETIME.days,
            "has_session": signed_in,
            "this_session": caller.authority.id if caller.authority is not None else "",
            "sessions": self._accounts.list_sessions(caller.name) if signed_in else [],
            "tokens": self._accounts.list_tokens(caller.name) if signed_in else [],
        }

    def _projects(self, name: str) -> list[str]:
        membership = self._settings.membership
        return [project for project in membership.projects if membership.roles(name, project)]

    def _places(self, name: str) -> list[tuple[str, str]]:
        membership = self._settings.membership
        where: Mapping[str, str | None] = {
            "This node": None,
            **{f"Project {project}": project for project in membership.projects},
        }
        node_wide = membership.roles(name)
        places = []
        for place, project in where.items():
            roles = membership.roles(name, project) - (node_wide if project else frozenset())
            if roles:
                places.append((place, ", ".join(role.title for role in sorted(roles))))
        return places


def the_caller() -> Caller:
    """Who makes the request."""
    caller = current_caller.get()
    assert caller is not None, "the door lets nobody through without a caller"  # noqa: S101
    return caller


def taking_form(act: Callable[[Request, Caller, Form], Awaitable[Response]]) -> Endpoint:
    """An endpoint that takes a form from who has a session: a token must make no others."""

    async def endpoint(request: Request) -> Response:
        caller = the_caller()
        form = await form_fields(request)
        if caller.credential is not Credential.SESSION:
            return error_reply(request, only_signed_in())
        if form is None:
            return error_reply(request, InputError("The form is sent as a form."), status=415)
        return await act(request, caller, form)

    return endpoint


def only_signed_in() -> RefusedError:
    """The refusal of a token where a session is needed."""
    return RefusedError(
        "A token cannot change the account.",
        why="whoever finds one must not be able to make others, or to sign its owner out.",
        remedy="Sign in at /login.",
    )
