"""`POST /api/sign-in` and `/api/sign-out`: a name and a password for a short-lived token, and its end.

Who has a second factor sends its code too. When it is missing, the problem says so: `"code": "needed"`.

They are for `phems login` and stand before the API, which answers nobody who is not signed in. Tries are
counted, slowed down and audited as those of the sign-in page.
"""

from __future__ import annotations

import json
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from phems.domain.authority import EVERYTHING
from phems.errors import CodeNeededError, InputError, PhemsError
from phems.gateway.accounts import Accounts
from phems.gateway.callers import Credential, current_caller
from phems.gateway.door import API_SIGN_IN_PATH, Identities, credential_of
from phems.gateway.forms import client_of
from phems.gateway.problems import problem_reply
from phems.gateway.sign_in import SignIn

LIFETIME = timedelta(hours=12)
LABEL = "phems login"
_JSON = "application/json"
_MEMBERS = frozenset({"name", "password", "code"})


class ApiSignIn:
    """The two routes."""

    def __init__(self, accounts: Accounts, identities: Identities, sign_in: SignIn) -> None:
        self._accounts = accounts
        self._identities = identities
        self._sign_in = sign_in

    def routes(self) -> list[Route]:
        """Their addresses."""
        return [
            Route(API_SIGN_IN_PATH, self.sign_in, methods=["POST"]),
            Route("/api/sign-out", self.sign_out, methods=["POST"]),
        ]

    async def sign_in(self, request: Request) -> Response:
        """Check name and password; a token for half a day, told this once."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            return problem_reply(InputError("Signing in is sent as JSON."), status=415)
        try:
            asked = _members(await request.body())
            actor = await self._sign_in.authenticated(
                asked["name"], asked["password"], asked.get("code", ""), client_of(request)
            )
            made = await run_in_threadpool(
                lambda: self._accounts.issue_token(
                    actor, actor.name, lifetime=LIFETIME, label=LABEL, scope=EVERYTHING
                )
            )
        except CodeNeededError as error:
            return problem_reply(error, members={"code": "needed"})
        except PhemsError as error:
            return problem_reply(error)
        told = {
            "token": made.secret,
            "user": actor.name,
            "expires_at": made.expires_at.isoformat(),
        }
        return JSONResponse(told, status_code=201, headers={"Cache-Control": "no-store"})

    async def sign_out(self, request: Request) -> Response:
        """End the token that the request comes with, whatever its scope."""
        caller = current_caller.get()
        if caller is None or caller.authority is None or caller.credential is not Credential.TOKEN:
            error = InputError("Only a token is ended here.", why="The request came with none.")
            return problem_reply(error)
        try:
            token = caller.authority.id
            await run_in_threadpool(self._accounts.revoke_token, caller.actor, caller.name, token)
        except PhemsError as error:
            return problem_reply(error)
        # An answer about it is kept for a moment: from now on it is another.
        self._identities.forget(Credential.TOKEN, credential_of(request)[1])
        return Response(status_code=204)


def _members(body: bytes) -> dict[str, str]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    asked = found if isinstance(found, dict) else {}
    fits = {"name", "password"} <= set(asked) <= _MEMBERS
    if not fits or not all(isinstance(value, str) for value in asked.values()):
        raise InputError(
            "Signing in takes a name and a password.",
            why="the body is one JSON object with the texts name and password, and nothing else but code.",
            remedy='{"name": "ada", "password": "..."}',
        )
    return {str(name): str(value) for name, value in asked.items()}
