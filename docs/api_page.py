# ruff: noqa: INP001 (part of a script, not of a package)
"""The page `docs/reference/api.md`, read from the API's OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from phems.gateway.api.app import create_api
from phems.gateway.api.document import document, operations
from phems.gateway.api.idempotency import KEY_HEADER
from phems.gateway.problems import STATUS, kind_of

HEAD = """\
# REST API

<!-- Written by docs/generate.py from phems.gateway.api: edit there, then `make docs`. -->

Under `/api` of the gateway, behind the same sign-in. The document that clients are generated from (OpenAPI
3.1) is `GET /api/openapi.json` of a running node. How to begin: [use the API](../how-to/use-the-api.md).

`POST /api/sign-in` takes `name`, `password` and, with a second factor, `code`, and answers 201 with a
`token` for twelve hours, its `user` and `expires_at`. `POST /api/sign-out` ends the token that it comes with.
A problem with `"code": "needed"` says that the password was right and that a code is to come with it.

- Reads are `GET`, acts are `POST` with one JSON object; anything else is answered 405 or 415.
- Lists come in pages: `?limit=` and `?cursor=`; `next_cursor` is null on the last page.
- `ETag` names what was shown. An act sent with it as `If-Match` is refused with 412 when it is no longer so.
  Votes and decisions name the `turn` that was reviewed.
- Every act takes an `Idempotency-Key`: a word of yours, new for each act
  (draft-ietf-httpapi-idempotency-key-header). Sent again within a day it is not done again, but answered as
  before, with `Idempotent-Replayed: true`. The same key with another request is answered 422; while the act
  is being done, or when its answer cannot be told again, 409.
  [What holds exactly](../adr/0025-idempotency-keys.md).
- *needs* names the [permission](permissions.md). The heading's name is the [command](cli.md)'s, where there
  is one.

## Errors

Problem details (RFC 9457, `application/problem+json`): `type`, `title`, `status`, `detail`, and the words of
the command line: `kind`, `what`, `why`, `remedy`. A request that does not fit the document has `problems`.

| status | kind | error |
|---|---|---|
"""
_TITLES: Mapping[str, str] = {
    "me": "Who you are",
    "projects": "Projects",
    "code": "Code revisions",
    "capsule": "Run capsules",
    "policy": "Policy versions",
    "run": "Runs",
    "lineage": "Lineage",
    "release": "Outputs and releases",
    "audit": "The audit log",
    "node": "The node",
    "user": "Users",
    "coordinator": "Federation coordinators, managed",
}


def api_page() -> str:
    """A section for each noun, a table for the members of each body."""
    made = document(create_api(None))  # type: ignore[arg-type] (it is asked for its routes alone)
    parts = [HEAD, *_errors()]
    tag = None
    for path, method, operation in sorted(operations(made), key=_order):
        if operation["tags"][0] != tag:
            tag = operation["tags"][0]
            parts.append(f"\n## {_TITLES[tag]}\n")
        parts += _section(path, method, operation, made)
    return "".join(parts)


def _order(found: tuple[str, str, dict[str, Any]]) -> int:
    return list(_TITLES).index(found[2]["tags"][0])


def _errors() -> Iterator[str]:
    for kind, status in STATUS.items():
        yield f"| {status} | `{kind_of(kind(''))}` | {(kind.__doc__ or '').strip()} |\n"


def _section(path: str, method: str, operation: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n### {operation['operationId']}\n\n"
    yield f"`{method.upper()} /api{path}` · needs *{operation['x-permission']}*\n\n"
    yield f"{' '.join(operation['description'].split())}\n"
    rows = [*_parameters(operation), *_members(operation, made)]
    if rows:
        yield "\n| | default | |\n|---|---|---|\n"
        yield from rows
    yield f"\nAnswers {_answer(operation)}.\n"


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == KEY_HEADER:
            continue  # every act takes it: said once, above
        name = f"?{parameter['name']}" if parameter["in"] == "query" else parameter["name"]
        if parameter["in"] == "header":
            name = f"{name} (header)"
        schema = parameter["schema"]
        default = "**required**" if parameter.get("required") else _default(schema)
        yield f"| `{name}` | {default} | {_cell(parameter.get('description', ''))} |\n"


def _members(operation: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        yield from _rows(reference, made, "")


def _rows(reference: str, made: Mapping[str, Any], prefix: str) -> Iterator[str]:
    schema = made["components"]["schemas"][reference.rpartition("/")[2]]
    for name, member in schema.get("properties", {}).items():
        needed = name in schema.get("required", ())
        default = "**required**" if needed else _default(member)
        yield f"| `{prefix}{name}` | {default} | {_cell(_said(member, made))} |\n"
        inner = member.get("items", {}).get("$ref")
        if inner is not None:
            yield from _rows(inner, made, f"{prefix}{name}[].")


def _said(member: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    enum = member
    if "$ref" in member:
        enum = made["components"]["schemas"][member["$ref"].rpartition("/")[2]]
    words = ", ".join(f"`{word}`" for word in enum.get("enum", ()))
    return " ".join(part for part in (member.get("description", ""), words) if part)


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default in (None, "", []):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _answer(operation: Mapping[str, Any]) -> str:
    status, answer = next(iter(operation["responses"].items()))
    content = answer.get("content", {}).get("application/json")
    if content is None:
        return f"{status}, " + ("with a file" if status == "200" else "with nothing")
    return f"{status}, {_named(content['schema'])}"


def _named(schema: Mapping[str, Any]) -> str:
    if schema.get("type") == "array":
        return f"a list of {_named(schema['items'])}"
    name = schema["$ref"].rpartition("/")[2]
    if name.startswith("Page_"):
        return f"a page of `{name.removeprefix('Page_').rstrip('_')}`"
    return f"`{name}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
