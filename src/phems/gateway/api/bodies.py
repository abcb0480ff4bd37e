"""What an act is sent as: one JSON object, said to be one, without members that nobody asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from phems.errors import InputError
from phems.gateway.problems import problem_reply

JSON = "application/json"

Reason = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000),
    Field(description="Why: the author and the audit log are told."),
]
OptionalReason = Annotated[
    str, StringConstraints(max_length=2000), Field(description="Why, for the audit log.")
]


class Body(BaseModel):
    """A request's body. An unknown member is an error: a misspelt `reason` must not pass as none."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Nothing(Body):
    """For acts that take no more than their address: `{}`."""


class JsonAlone:
    """Refuses bodies that do not say they are JSON: those a form on another page can send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or 415."""
        if scope["type"] != "http" or scope["method"] != "POST" or _says_json(Request(scope)):
            await self._app(scope, receive, send)
            return
        error = InputError(
            "Acts are sent as JSON.",
            why="The Content-Type is not application/json.",
            remedy="Send Content-Type: application/json, and {} when there is nothing to say.",
        )
        await problem_reply(error, status=415, headers={"Accept-Post": JSON})(scope, receive, send)


def _says_json(request: Request) -> bool:
    given = request.headers.getlist("content-type")
    return len(given) == 1 and given[0].partition(";")[0].strip().lower() == JSON
