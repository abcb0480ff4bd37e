"""Tables between Arrow, pandas and polars, without needing any but Arrow to be installed.

A table's *kind* is the library it belongs to: `arrow`, `pandas` or `polars`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from phems.errors import UnavailableError

CLASS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "arrow": ("pyarrow", "Table"),
    "pandas": ("pandas", "DataFrame"),
    "polars": ("polars", "DataFrame"),
}


def library(name: str, *, wanted_for: str) -> Any:
    """Import an optional library, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"{wanted_for} needs the package {error.name}",
            why="it is not installed in the environment that runs this project's code",
            remedy=f"add `{error.name}` to the dependencies in the project's pyproject.toml and install it "
            f"(`pip install {error.name}`); in a node, the operator installs it in the project's environment",
        ) from error


def kind_of_class(hint: Any) -> str | None:
    """The kind whose class `hint` is, or `None` when it is no table class."""
    for kind, (module, name) in CLASS_OF_KIND.items():
        if module in sys.modules and hint is getattr(sys.modules[module], name):
            return kind
    return None


def kind_of(value: object) -> str | None:
    """The kind of a table, or `None` when `value` is no table."""
    for kind, (module, name) in CLASS_OF_KIND.items():
        if module in sys.modules and isinstance(value, getattr(sys.modules[module], name)):
            return kind
    return None


def to_arrow(value: Any, *, keep_index: bool | None = None) -> pa.Table:
    """Any table as an Arrow table. `keep_index` goes to pandas alone: see `pyarrow.Table.from_pandas`."""
    kind = kind_of(value)
    if kind == "pandas":
        return pa.Table.from_pandas(value, preserve_index=keep_index)
    return value.to_arrow() if kind == "polars" else value


def from_arrow(table: pa.Table, kind: str) -> Any:
    """An Arrow table as one of `kind`."""
    if kind == "pandas":
        library("pandas", wanted_for="Reading a table as a pandas DataFrame")
        return table.to_pandas()
    if kind == "polars":
        return library("polars", wanted_for="Reading a table as a polars DataFrame").from_arrow(table)
    return table


def table_of_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table from one mapping per row; the first row's keys are the columns and their order."""
    return pa.table({name: [row[name] for row in rows] for name in rows[0]})
