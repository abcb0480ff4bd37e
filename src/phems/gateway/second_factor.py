"""The page of one's own second factor: set it up with a phone, confirm it, give it up.

Under `/account`, and the one page that somebody sees who must set one up before anything else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import segno
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from phems.errors import PhemsError
from phems.gateway.account import ACCOUNT_PATH, Endpoint, only_signed_in, taking_form, the_caller
from phems.gateway.accounts import Accounts
from phems.gateway.callers import Caller, Credential
from phems.gateway.door import SECOND_FACTOR_PATH, Identities
from phems.gateway.forms import Form, client_of
from phems.gateway.pages import render
from phems.gateway.problems import status_of
from phems.gateway.replies import error_reply
from phems.gateway.sign_in import SignIn

Act = Callable[[Request, Caller, Form], Awaitable[Response]]


class SecondFactorPage:
    """The page and its forms, as routes."""

    def __init__(self, accounts: Accounts, identities: Identities, sign_in: SignIn) -> None:
        self._accounts = accounts
        self._identities = identities
        self._sign_in = sign_in

    def routes(self) -> list[Route]:
        """Their addresses."""
        forms: Mapping[str, Act] = {"/begin": self._begin, "/confirm": self._confirm, "/remove": self._remove}
        return [
            Route(SECOND_FACTOR_PATH, self.show, methods=["GET"]),
            *(
                Route(SECOND_FACTOR_PATH + path, self._taking(act), methods=["POST"])
                for path, act in forms.items()
            ),
        ]

    async def show(self, request: Request) -> Response:
        """How it stands with the second factor of who is signed in."""
        caller = the_caller()
        if caller.credential is not Credential.SESSION:
            return error_reply(request, only_signed_in())
        return await self._page(caller)

    def _taking(self, act: Act) -> Endpoint:
        """An endpoint that does what a form asks."""

        async def done(request: Request, caller: Caller, form: Form) -> Response:
            try:
                return await act(request, caller, form)
            except PhemsError as error:
                return await self._page(caller, error=error)
            finally:
                self._identities.forget_everybody()

        return taking_form(done)

    async def _begin(self, _request: Request, caller: Caller, _form: Form) -> Response:
        await run_in_threadpool(self._accounts.begin_second_factor, caller.actor)
        return RedirectResponse(SECOND_FACTOR_PATH, 303)

    async def _confirm(self, _request: Request, caller: Caller, form: Form) -> Response:
        session = caller.authority.id if caller.authority is not None else ""
        codes = await run_in_threadpool(
            self._accounts.confirm_second_factor, caller.actor, form.get("code"), session
        )
        return await self._page(caller, recovery_codes=codes)

    async def _remove(self, request: Request, caller: Caller, form: Form) -> Response:
        address = client_of(request).address
        async with self._sign_in.hashing:
            await run_in_threadpool(
                self._accounts.remove_second_factor,
                caller.actor,
                form.get("password"),
                form.get("code"),
                address,
            )
        return RedirectResponse(ACCOUNT_PATH, 303)

    async def _page(
        self, caller: Caller, *, error: PhemsError | None = None, recovery_codes: Any = ()
    ) -> Response:
        state = await run_in_threadpool(self._accounts.second_factor, caller.name)
        shared = state.shared
        values = {
            "title": "Error: your second factor" if error else "Your second factor",
            "error": error,
            "state": state,
            "secret": "" if shared is None else _in_groups(shared.text),
            "picture": "" if shared is None else qr_code(shared.address),
            "recovery_codes": recovery_codes,
            "must_enrol": state.required and not state.is_on,
        }
        return render("second_factor.html", values, status=status_of(error) if error else 200)


def qr_code(text: str) -> str:
    """A text as a picture for a phone's camera, black on white in the dark form too."""
    picture: str = segno.make(text, micro=False).svg_data_uri(scale=5, dark="#000", light="#fff")
    return picture


def _in_groups(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
