"""How the gateway says no: JSON for programs (problem details under `/api`), a plain page for browsers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from phems.errors import PhemsError, RefusedError
from phems.gateway.pages import render
from phems.gateway.problems import is_api, kind_of, problem_reply, status_of


def wants_page(connection: HTTPConnection) -> bool:
    """Whether a person looks at the answer: a browser going to a page."""
    if is_api(connection.scope["path"]):
        return False
    # A form that was sent by hand is answered by a page, too.
    form = connection.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    asks = connection.scope.get("method") in {"GET", "HEAD"} or form
    return asks and "text/html" in connection.headers.get("accept", "")


def error_fields(error: PhemsError) -> dict[str, str]:
    """An error as plain data, in the words that the command line uses too."""
    return {"kind": kind_of(error), "what": error.what, "why": error.why, "remedy": error.remedy}


def error_reply(
    connection: HTTPConnection,
    error: PhemsError,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that tells an error."""
    if is_api(connection.scope["path"]):
        return problem_reply(error, status=status, headers=headers)
    code = status or status_of(error)
    if wants_page(connection):
        return render("error.html", {"title": error.what, "error": error}, status=code, headers=headers)
    return JSONResponse({"error": error_fields(error)}, status_code=code, headers=headers)


def sign_in_first(connection: HTTPConnection, why: str) -> Response:
    """A browser is led to the sign-in page and back; a program is told how to sign in."""
    if wants_page(connection) and connection.scope["method"] != "POST":
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


def enrol_first(connection: HTTPConnection, path: str) -> Response:
    """Who must set up a second factor is led there; what else they ask for is refused."""
    if wants_page(connection) and connection.scope["method"] != "POST":
        return RedirectResponse(path, status_code=303)
    error = RefusedError(
        "You need a second factor first.",
        why="this node asks everybody who signs in with a password for one, and you have none yet.",
        remedy=f"Set it up at {path}.",
    )
    return error_reply(connection, error)


async def refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a refusal, to a request for a WebSocket too."""
    if scope["type"] == "http":
        await refusal(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    if "websocket.http.response" in scope.get("extensions", {}):
        await socket.send_denial_response(refusal)
    else:
        await socket.close()
