"""Errors as RFC 9457 problem details: how everything under `/api` says no.

The members `kind`, `what`, `why` and `remedy` are those that the command line shows; `detail` is the first
two in one text, for programs that know the RFC alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse

from phems.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    PhemsError,
    RefusedError,
    ReusedKeyError,
    StaleError,
    UnavailableError,
)

API_PATH = "/api"
PROBLEM_TYPE = "application/problem+json"

STATUS: Mapping[type[PhemsError], int] = {
    InputError: 400,
    StaleError: 412,
    ConflictError: 409,
    ReusedKeyError: 422,
    RefusedError: 403,
    NotFoundError: 404,
    UnavailableError: 503,
    IntegrityError: 500,
}
KINDS: Mapping[type[PhemsError], str] = {
    InputError: "input",
    RefusedError: "refused",
    NotFoundError: "not_found",
    UnavailableError: "unavailable",
    IntegrityError: "integrity",
}
FAILURE = "failure"
TITLES: Mapping[str, str] = {
    "input": "The request is not usable as it is",
    "refused": "A rule forbids it",
    "not_found": "It does not exist, or not for who asks",
    "unavailable": "A part that is needed cannot be reached",
    "integrity": "Something that must not change has changed",
    FAILURE: "Something went wrong",
}


def kind_of(error: PhemsError) -> str:
    """The error's class in the words of the command line."""
    return next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), FAILURE)


def status_of(error: PhemsError) -> int:
    """The HTTP status of an error's class."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def is_api(path: str) -> bool:
    """Whether a path is the API's, whose answers are never pages."""
    return path == API_PATH or path.startswith(API_PATH + "/")


def problem(
    error: PhemsError, *, status: int | None = None, problems: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The problem details of an error."""
    kind = kind_of(error)
    return {
        "type": f"urn:phems:problem:{kind.replace('_', '-')}",
        "title": TITLES[kind],
        "status": status or status_of(error),
        "detail": f"{error.what} {_sentence(error.why)}".strip(),
        "kind": kind,
        "what": error.what,
        "why": error.why,
        "remedy": error.remedy,
        **({"problems": list(problems)} if problems else {}),
    }


def problem_reply(
    error: PhemsError,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    problems: Sequence[Mapping[str, str]] = (),
    members: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer that tells an error to a program; `members` stand beside those that every problem has."""
    body = {**problem(error, status=status, problems=problems), **(members or {})}
    told = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(body, status_code=body["status"], media_type=PROBLEM_TYPE, headers=told)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
