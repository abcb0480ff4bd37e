# ruff: noqa: INP001 (part of a script, not of a package)
"""The page `docs/reference/project-library.md`, read from the docstrings of `phems.project`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import phems.project
from phems.contract.disclosure import FIELDS
from phems.project.mlflow import MlflowRun

HEAD = """\
# The library for project code

<!-- Written by docs/generate.py from phems.project: edit there, then `make docs`. -->

`from phems.project import DataSource, Outputs, ProjectIOManager`. The same code runs in a node and under
plain `dagster dev`, `dg dev` or pytest on a laptop.
"""


def library_page() -> str:
    """A section for each public name of the library."""
    sections = [_section(name, getattr(phems.project, name)) for name in phems.project.__all__]
    # A module of its own, since it needs MLflow's client.
    mlflow = _section("phems.project.mlflow.MlflowRun", MlflowRun)
    return "".join([HEAD, *sections, mlflow, *_disclosure()])


def _disclosure() -> Iterator[str]:
    yield "\n## What a `disclosure` may say\n\n| key | is |\n|---|---|\n"
    for key, field in FIELDS.items():
        yield f"| `{key}` | {field.must_be} |\n"


def _section(name: str, thing: Any) -> str:
    if not inspect.isclass(thing):
        return f"\n## `{name}`\n\nA ready-made `{type(thing).__name__}`, for code that needs no resource.\n"
    fields = "".join(
        f"\n`{field}`: {info.description}\n"
        for field, info in getattr(thing, "model_fields", {}).items()
        if info.description
    )
    return f"\n## `{name}`\n\n{_text(thing)}\n{fields}{''.join(_methods(thing))}"


def _methods(kind: type[Any]) -> Iterator[str]:
    for name, method in vars(kind).items():
        if inspect.isfunction(method) and not name.startswith("_") and method.__doc__:
            yield f"\n### `{name}{_signature(method)}`\n\n{_text(method)}\n"


def _signature(method: Any) -> str:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return f"({', '.join(str(p.replace(annotation=p.empty)).replace(' = ', '=') for p in parameters)})"


def _text(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "")
