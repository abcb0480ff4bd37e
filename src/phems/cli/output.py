"""What commands print: tables for people, JSON for programs, both from the same rows.

Commands hand over dataclasses, pydantic models or dicts. With --json standard output holds exactly
one JSON document (a list for `show_rows`, an object for `show_fields` and `done`), and `say` is
silent; warnings go to standard error in either form.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

from phems.cli import session

# A table in a file or pipe is never cut to a screen's width.
_UNBOUNDED = 10_000


def show_rows(rows: Sequence[Any], columns: Sequence[str], *, empty: str = "Nothing here yet.") -> None:
    """A table with the named columns; JSON has every field of the rows."""
    plain = [to_plain(row) for row in rows]
    if session.current().json:
        print_json(plain)
    elif not plain:
        print(empty)
    else:
        table = _table(header=True)
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in plain:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        _console().print(table)


def show_fields(row: Any, names: Sequence[str] | None = None) -> None:
    """One thing, a line for each field; JSON has every field."""
    plain = to_plain(row)
    if session.current().json:
        print_json(plain)
        return
    table = _table(header=False)
    for name in plain if names is None else names:
        table.add_row(_cell(name.replace("_", " ")), _cell(plain.get(name)))
    _console().print(table)


def done(result: Any, text: str) -> None:
    """What a command did: a sentence for people, the result for programs."""
    if session.current().json:
        print_json(to_plain(result))
    else:
        print(visible(text, keep="\n"))


def say(text: str) -> None:
    """A line for people alone; nothing with --json."""
    if not session.current().json:
        print(visible(text, keep="\n"), flush=True)  # a log or a pipe must not wait for the end


def warn(text: str) -> None:
    """A line on standard error, in either form."""
    print(f"Warning: {visible(text)}", file=sys.stderr)


def print_json(plain: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(to_plain(plain), indent=2, ensure_ascii=False))


def visible(text: str, *, keep: str = "") -> str:
    """Text in which control characters are shown, not obeyed: names come from project code."""
    return "".join(char if char in keep or char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def to_plain(value: Any) -> Any:
    """Plain JSON data of a value; times in ISO 8601."""
    if value is None or isinstance(value, bool | int | float) or type(value) is str:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    for kind, convert in _CONVERTERS:
        if isinstance(value, kind):
            return convert(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return str(value)


_CONVERTERS: Sequence[tuple[Any, Callable[[Any], Any]]] = (
    (Enum, lambda value: to_plain(value.value)),
    (str, str),
    (Mapping, lambda value: {str(to_plain(key)): to_plain(inner) for key, inner in value.items()}),
    ((list, tuple), lambda value: [to_plain(inner) for inner in value]),
    ((set, frozenset), lambda value: sorted(map(to_plain, value), key=str)),
    (datetime, datetime.isoformat),
    (date, date.isoformat),
    ((bytes, bytearray), lambda value: value.hex()),
    (PurePath, str),
)


def _cell(value: Any) -> Any:
    from rich.text import Text

    if value is None or value in ([], {}):
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(", ".join(visible(str(inner)) for inner in value))
    if isinstance(value, dict):
        return Text(", ".join(f"{visible(str(key))}={visible(str(inner))}" for key, inner in value.items()))
    # Text takes no markup: "[red]" in a name stays "[red]".
    return Text(visible(str(value), keep="\n"))


def _table(*, header: bool) -> Any:
    from rich.table import Table

    return Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _UNBOUNDED, soft_wrap=False, highlight=False)
