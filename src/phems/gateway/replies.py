"""How the gateway says no: problem JSON for programs, a plain page for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response

from phems.errors import (
    InputError,
    IntegrityError,
    NotFoundError,
    PhemsError,
    RefusedError,
    UnavailableError,
)
from phems.gateway.pages import render

STATUS: Mapping[type[PhemsError], int] = {
    InputError: 400,
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


def wants_page(connection: HTTPConnection) -> bool:
    """Whether a person looks at the answer: a browser going to a page."""
    is_get = connection.scope.get("method") in {"GET", "HEAD"}
    return is_get and "text/html" in connection.headers.get("accept", "")


def error_fields(error: PhemsError) -> dict[str, str]:
    """An error as plain data, in the words that the command line uses too."""
    kind = next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), "failure")
    return {"kind": kind, "what": error.what, "why": error.why, "remedy": error.remedy}


def error_reply(
    connection: HTTPConnection,
    error: PhemsError,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that tells an error."""
    code = status or next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)
    if wants_page(connection):
        return render("error.html", {"title": error.what, "error": error}, status=code, headers=headers)
    return JSONResponse({"error": error_fields(error)}, status_code=code, headers=headers)


def sign_in_first(connection: HTTPConnection, why: str) -> Response:
    """A browser is led to the sign-in page and back; a program is told how to sign in."""
    if wants_page(connection):
        query = connection.scope["query_string"].decode("latin-1")
        here = connection.scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(here, safe='')}", status_code=303)
    error = RefusedError(
        "You are not signed in.",
        why=why,
        remedy="Send a token (Authorization: Bearer phems_...), which an operator makes: "
        "phems user token NAME. Or sign in at /login.",
    )
    return error_reply(connection, error, status=401, headers={"WWW-Authenticate": 'Bearer realm="phems"'})
