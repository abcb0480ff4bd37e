"""The OpenAPI document: what FastAPI derives, with errors as they are told and who may sign in how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from phems.domain.idempotency import KEPT_FOR, KEY_PATTERN
from phems.gateway.api.errors import Problem
from phems.gateway.api.idempotency import KEY_HEADER, REPLAYED_HEADER
from phems.gateway.problems import PROBLEM_TYPE

_SAID = {
    "400": "The request is not usable as it is.",
    "401": "Nobody is signed in.",
    "403": "A rule forbids it: a role, a state, a policy.",
    "404": "It does not exist, or not for who asks.",
    "409": "An act with this Idempotency-Key is being done, or was done and cannot be told again.",
    "412": "It has changed since you saw it (If-Match).",
    "413": "The request is too large.",
    "415": "The body is not said to be JSON.",
    "422": "The Idempotency-Key was used for another request.",
    "500": "Something that must not change has changed, or a defect.",
    "503": "A part that is needed cannot be reached.",
}
_OF_ACTS = frozenset({"409", "413", "415", "422"})
_METHODS = ("get", "post")


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _made(app)
    return app.openapi_schema


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of each route."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _made(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        servers=[{"url": "/api"}],
    )
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "phems user token NAME"},
        "session": {"type": "apiKey", "in": "cookie", "name": "phems_session"},
        "coordinator": {"type": "http", "scheme": "bearer", "description": "phems coordinator token NAME"},
    }
    for _, method, operation in operations(made):
        _complete(operation, method)
    return made


def _complete(operation: dict[str, Any], method: str) -> None:
    for_coordinators = operation["x-permission"] == "coordinator"
    operation["security"] = [{"coordinator": []}] if for_coordinators else [{"token": []}, {"session": []}]
    answers = operation["responses"]
    answers.pop("422", None)
    if method == "post":
        _add_key(operation)
    takes_if_match = any(parameter["name"] == "If-Match" for parameter in operation.get("parameters", ()))
    for status, said in _SAID.items():
        if (status in _OF_ACTS and method == "get") or (status == "412" and not takes_if_match):
            continue
        content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        answers[status] = {"description": said, "content": content}


def _add_key(operation: dict[str, Any]) -> None:
    """The key that a caller may give to an act, and what tells that it was done before."""
    key = {
        "name": KEY_HEADER,
        "in": "header",
        "required": False,
        "description": f"Your name for this act, new for each: sent again within {KEPT_FOR.days} day, it is "
        "not done again but answered as before.",
        "schema": {"type": "string", "pattern": f'^({KEY_PATTERN}|"{KEY_PATTERN}")$'},
    }
    operation.setdefault("parameters", []).append(key)
    told = {
        "description": "`true` when the act was done before, and this is its answer once more.",
        "schema": {"type": "string", "enum": ["true"]},
    }
    for answer in operation["responses"].values():
        answer.setdefault("headers", {})[REPLAYED_HEADER] = told
