"""The API put together: its nouns, how it says no, and the document that describes it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from phems import __version__
from phems.gateway.api import (
    audit,
    capsules,
    code_revisions,
    coordinators,
    keys,
    lineage,
    me,
    node,
    outputs,
    policies,
    projects,
    release_requests,
    release_reviews,
    releases,
    runs,
    status,
    user_access,
    user_keys,
    users,
)
from phems.gateway.api.answers import NotKept
from phems.gateway.api.bodies import JsonAlone
from phems.gateway.api.document import document
from phems.gateway.api.errors import tell_errors
from phems.gateway.api.idempotency import OncePerKey
from phems.gateway.api.use_cases import UseCases

DESCRIPTION = """\
Every verb of governance: what `phems NOUN VERB` does on the node's machine, for whoever reaches its gateway.

Reads are GET, acts are POST with one JSON object. Sign in with a token (`Authorization: Bearer ...`) or, from
the node's own pages, with their session; `POST /api/sign-in` gives a token for `name`, `password` and, with a
second factor, `code`. Errors are problem details (RFC 9457) with the words of the command
line. An act with an `Idempotency-Key` is done once, however often it is sent. Lists come in pages:
`next_cursor` names the next. `x-permission` names what a route takes; who has it stands in the page on
permissions.
"""

NOUNS = (
    me,
    node,
    projects,
    code_revisions,
    capsules,
    policies,
    runs,
    outputs,
    lineage,
    release_requests,
    release_reviews,
    releases,
    keys,
    audit,
    status,
    users,
    user_access,
    user_keys,
    coordinators,
)


def create_api(cases: UseCases) -> FastAPI:
    """The API over a node's use cases."""
    app = FastAPI(
        title="PHEMS node",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Of requests and errors nothing is handed on, whatever this machine's environment asks for.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.cases = cases
    for noun in NOUNS:
        app.include_router(noun.router)
    tell_errors(app)
    app.add_middleware(OncePerKey, cases=cases)
    app.add_middleware(JsonAlone)
    app.add_middleware(NotKept)
    app.add_route("/openapi.json", _document, methods=["GET"], include_in_schema=False)
    return app


async def _document(request: Request) -> Response:
    made: dict[str, Any] = document(request.app)
    return JSONResponse(made)
