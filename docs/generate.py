# ruff: noqa: INP001 (a script, not part of a package)
"""Writes the generated pages of the reference: `make docs`. Tests fail when a page has drifted.

One row of `PAGES` for each page: its path under docs/ and the function that gives its text.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from api_page import api_page  # noqa: E402 (they lie beside this file, wherever it is read from)
from cli_page import cli_page  # noqa: E402
from control_pages import control_page  # noqa: E402
from layers_picture import layers_picture  # noqa: E402
from library_page import library_page  # noqa: E402
from record_pages import audit_page, environment_page, notifications_page  # noqa: E402
from rule_pages import exit_codes_page, metrics_page, permissions_page, storage_page  # noqa: E402

from phems.domain.state_pages import states_page  # noqa: E402
from phems.nodespec import NodeSpec, format_size, load_node  # noqa: E402
from phems.nodespec.sizes import Size  # noqa: E402
from phems.render.alerts import alerts_text  # noqa: E402
from phems.render.chart_values import values_schema  # noqa: E402
from phems.render.gitops import gitops_files  # noqa: E402

HEAD = """\
# node.yaml

<!-- Written by docs/generate.py from phems.nodespec: edit there, then `make docs`. -->

One node at one Data Controller. `phems init DIR` writes a commented one, `phems check` finds everything
wrong with it, `phems schema` prints its JSON Schema. Unknown keys are errors; a key without a value
counts as not written; paths are relative to the folder of node.yaml. Sizes are bytes (`1048576`) or
have a unit: `512MiB`, `2GiB` (powers of 1024), `10GB` (powers of 1000).
"""


def node_spec_page() -> str:
    """The page on node.yaml: a table for each section, in the order of the file."""
    return HEAD + "".join(f"\n## {path}\n\n{_section(model)}" for path, model in _sections(NodeSpec, ""))


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield (f"`{path}`" if path else "The whole"), model
    for name, field in model.model_fields.items():
        inner, mark = _inner_model(field)
        if inner is not None:
            yield from _sections(inner, f"{path}.{name}{mark}".lstrip("."))


def _inner_model(field: FieldInfo) -> tuple[type[BaseModel] | None, str]:
    marks = {dict: ".NAME", tuple: "[]"}
    for kind, mark in (
        (field.annotation, ""),
        *((arg, marks.get(get_origin(field.annotation), "")) for arg in get_args(field.annotation)),
    ):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind, mark
    return None, ""


def _section(model: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_kind(field)} | {_default(field)} | {_cell(field.description or '')} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join((model.__doc__ or "", "", "| key | is | default | |", "|---|---|---|---|", *rows, ""))


def gitops_example(place: str) -> str:
    """What Argo CD is given for the example's node."""
    return gitops_files(load_node(DOCS.parent / "gitops" / "example"))[place]


_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "number",
    bool: "true or false",
    dt.date: "date",
    type(None): "",
}


def _kind(field: FieldInfo) -> str:
    if field.metadata and any(part in field.metadata for part in Size.__metadata__):
        return "size"
    return _words(field.annotation) + _limits(field)


def _words(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "section"
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        return f"{_words(arguments[1])}s by name" if _words(arguments[1]) == "section" else "text by name"
    if origin is tuple:
        return "list of " + {"section": "sections", "text": "text"}.get(_words(arguments[0]), "values")
    if kind in _WORDS:
        return _WORDS[kind]
    if origin is not None and all(isinstance(argument, str | int) for argument in arguments):
        return ", ".join(f"`{argument}`" for argument in arguments)
    return next((words for words in map(_words, arguments) if words), "text")


def _limits(field: FieldInfo) -> str:
    bounds = {
        key: getattr(part, key) for part in field.metadata for key in ("ge", "le") if hasattr(part, key)
    }
    return f", {bounds['ge']} to {bounds['le']}" if len(bounds) == len(("ge", "le")) else ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "**required**"
    if value is None or value == "" or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple | dict):
        return f"`[{', '.join(value)}]`" if value else "none"
    if _kind(field) == "size":
        value = format_size(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/api.md": api_page,
    "reference/audit-log.md": audit_page,
    "reference/cli.md": cli_page,
    "reference/environment.md": environment_page,
    "reference/exit-codes.md": exit_codes_page,
    "reference/node-spec.md": node_spec_page,
    "reference/notifications.md": notifications_page,
    "reference/permissions.md": permissions_page,
    "reference/project-library.md": library_page,
    "reference/storage-service.md": storage_page,
    "explanation/states.md": states_page,
    "images/layers.svg": layers_picture,
    "reference/metrics.md": metrics_page,
    "explanation/ehds-article-73.md": lambda: control_page("ehds-article-73"),
    "explanation/satre.md": lambda: control_page("satre"),
    "../charts/phems-node/alerts.yaml": alerts_text,
    "../charts/phems-node/values.schema.json": lambda: json.dumps(values_schema(), indent=2) + "\n",
    **{
        f"../gitops/example/{place}": lambda place=place: gitops_example(place)
        for place in ("bootstrap.yaml", "applications/node-pipeline.yaml", "applications/code-pipeline.yaml")
    },
}


def main() -> None:
    """Write every page."""
    for path, page in PAGES.items():
        (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / path).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
