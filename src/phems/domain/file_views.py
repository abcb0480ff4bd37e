"""Looking at a frozen file inside the node: which part of it is asked for, and what it looks like.

Files are hostile. What reads them is a process of its own (`phems.file_views`), which answers in plain data:
rows of a table, lines of a text, a tree of JSON, a picture drawn anew. A file that cannot be shown so is told
of by its size and digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phems.domain.output_checks import CheckedFile
from phems.errors import IntegrityError

KINDS = frozenset({"table", "text", "json", "image", "none"})


@dataclass(frozen=True)
class FileQuery:
    """The part of a file that is asked for. Pages, rows and columns count from 1."""

    page: int = 1
    search: str = ""
    sort: int | None = None
    """The column of a table to sort by; None: as the rows stand."""
    descending: bool = False
    only_rows: tuple[int, ...] | None = None
    """Rows of a table by number, when not all are asked for."""
    only_cells: tuple[str, ...] = ()
    """Rows by the name of their cell, beside `only_rows`."""


@dataclass(frozen=True)
class ViewOrder:
    """A file, and the part of it to show."""

    file: CheckedFile
    query: FileQuery

    def as_json(self) -> dict[str, Any]:
        """The order as JSON."""
        query = {name: getattr(self.query, name) for name in self.query.__dataclass_fields__}
        return {"file": self.file.as_json(), "query": query}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ViewOrder:
        """Read `as_json`."""
        query = dict(value["query"])
        rows = query["only_rows"]
        query["only_rows"] = None if rows is None else tuple(rows)
        query["only_cells"] = tuple(query["only_cells"])
        return cls(CheckedFile.from_json(value["file"]), FileQuery(**query))


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its number in the file, its cells, and, in a declared table, the name of its cell."""

    number: int
    cells: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True)
class FileView:
    """What a part of a file looks like. `kind` says which of the fields there are."""

    kind: str
    note: str = ""
    """What is not shown, or why nothing is."""
    page: int = 1
    pages: int = 1
    total: int = 0
    """Rows that were found, or lines that there are."""
    columns: tuple[str, ...] = ()
    rows: tuple[TableRow, ...] = ()
    lines: tuple[tuple[int, str], ...] = ()
    tree: Any = None
    """JSON as `[kind, value]` pairs: see `phems.file_views.json_tree`."""
    picture: str = ""
    """A PNG in base64."""
    width: int = 0
    height: int = 0

    def as_json(self) -> dict[str, Any]:
        """The view as JSON."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**values, "rows": [[row.number, row.cells, row.name] for row in self.rows]}

    @classmethod
    def from_json(cls, value: Any) -> FileView:
        """Read `as_json`; raises `IntegrityError` for anything else: the file may have written it."""
        try:
            known = dict(value)
            rows = tuple(
                TableRow(int(number), tuple(map(str, cells)), str(name))
                for number, cells, name in known["rows"]
            )
            view = cls(
                kind=str(known["kind"]),
                note=str(known["note"]),
                page=int(known["page"]),
                pages=int(known["pages"]),
                total=int(known["total"]),
                columns=tuple(map(str, known["columns"])),
                rows=rows,
                lines=tuple((int(number), str(text)) for number, text in known["lines"]),
                tree=known["tree"],
                picture=str(known["picture"]),
                width=int(known["width"]),
                height=int(known["height"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                "What reads files for people gave no view.", why=repr(error)[:200]
            ) from error
        if view.kind not in KINDS:
            raise IntegrityError("What reads files for people gave no view.", why=f"kind {view.kind!r:.50}")
        return view
