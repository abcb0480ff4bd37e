"""Whatever goes wrong in the API, told as problem details."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from phems.errors import InputError, NotFoundError, PhemsError
from phems.gateway.problems import problem_reply

_LOG = logging.getLogger("phems.api")
_REMEDY = "See the document: GET /api/openapi.json"


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    at: str = Field(description="Where, such as body.reason.")
    says: str


class Problem(BaseModel):
    """An error (RFC 9457), with the words that the command line has for it."""

    type: str = Field(examples=["urn:phems:problem:refused"])
    title: str
    status: int
    detail: str = Field(description="What happened, and why.")
    kind: str = Field(description="input, refused, not_found, unavailable, integrity or failure.")
    what: str
    why: str
    remedy: str = Field(description="What to do; often a command of `phems`.")
    problems: list[FieldProblem] | None = None


def tell_errors(app: FastAPI) -> None:
    """Have every error of the application told as a problem."""
    app.add_exception_handler(PhemsError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)


async def _known(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PhemsError)  # noqa: S101 (for the type checker)
    return problem_reply(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    """What does not fit the document. The values stay unsaid: they may be secrets."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (for the type checker)
    found = [
        {"at": ".".join(str(part) for part in problem["loc"]), "says": str(problem["msg"])}
        for problem in error.errors()
    ]
    told = InputError(
        "The request is not as the document says.",
        why="; ".join(f"{problem['at']}: {problem['says']}" for problem in found[:5]) + ".",
        remedy=_REMEDY,
    )
    return problem_reply(told, problems=found)


_HTTP: Mapping[int, tuple[type[PhemsError], str]] = {
    404: (NotFoundError, "There is nothing at this address."),
    405: (InputError, "This address is not asked in this way: reads are GET, acts are POST."),
}


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (for the type checker)
    kind, what = _HTTP.get(error.status_code, (InputError, error.detail))
    return problem_reply(kind(what, remedy=_REMEDY), status=error.status_code, headers=error.headers)


async def _unknown(request: Request, error: Exception) -> Response:
    """A defect: the log of the node has the traceback, the answer nothing of it."""
    _LOG.error("%s %s failed", request.method, request.scope.get("route"), exc_info=error)
    told = PhemsError(
        "Something went wrong that should not have.",
        why=f"a {type(error).__name__}; the log of the node says where.",
        remedy="Tell an operator of the node.",
    )
    return problem_reply(told)
