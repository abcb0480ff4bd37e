"""Which cells of a table the findings of its checks concern: by row, by the name of a cell, by column.

The evidence of a finding names rows by number (`row`) or by the name of their cell (`cell`, or texts under
`cells`), and columns under `columns`, `column`, `sentences` or `many_different`: see `phems.output_checks`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phems.domain.file_views import FileView, TableRow
from phems.services.release_summaries import FindingSummary

_COLUMN_KEYS = ("column", "columns", "sentences", "many_different")


@dataclass(frozen=True)
class Mark:
    """A finding at a cell, a row or a column: which of the page's findings, and its verdict."""

    finding: int
    check: str
    verdict: str
    summary: str


@dataclass
class CellFindings:
    """The marks of a table."""

    rows: dict[int, list[tuple[Mark, frozenset[str]]]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, list[tuple[Mark, frozenset[str]]]] = field(default_factory=lambda: defaultdict(list))
    columns: dict[str, list[Mark]] = field(default_factory=lambda: defaultdict(list))

    @property
    def has_rows(self) -> bool:
        """Whether some rows are concerned more than others."""
        return bool(self.rows or self.names)

    def on_row(self, row: TableRow) -> list[tuple[Mark, frozenset[str]]]:
        """The marks on a row, each with the columns that it is about; none: the row as a whole."""
        found = [*self.rows.get(row.number, ()), *(self.names.get(row.name, ()) if row.name else ())]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class ShownCell:
    """A cell and the marks beside it."""

    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class ShownRow:
    """A row as a page shows it; `marks` are on the row as a whole."""

    number: int
    cells: tuple[ShownCell, ...]
    marks: tuple[Mark, ...]


def cell_findings(findings: Sequence[FindingSummary]) -> CellFindings:
    """Where the findings on a table point; those that pass point nowhere."""
    marks = CellFindings()
    for number, finding in enumerate(findings, start=1):
        if finding.verdict == "pass":
            continue
        mark = Mark(number, finding.check, finding.verdict, finding.summary)
        for item in _items(finding.evidence):
            columns = frozenset(_names(item.get("columns")))
            if isinstance(item.get("row"), int):
                marks.rows[item["row"]].append((mark, columns))
            elif isinstance(item.get("cell"), str):
                marks.names[item["cell"]].append((mark, columns))
        for key in _COLUMN_KEYS:
            for name in _names(finding.evidence.get(key)):
                marks.columns[name].append(mark)
    return marks


def shown_rows(view: FileView, marks: CellFindings, counted: Sequence[str]) -> list[ShownRow]:
    """The rows of a page with their marks; one on a row stands at its count, where one is declared."""
    rows = []
    for row in view.rows:
        by_column: dict[str, list[Mark]] = defaultdict(list)
        whole = []
        for mark, named in marks.on_row(row):
            columns = [name for name in (named or counted) if name in view.columns]
            for name in columns:
                by_column[name].append(mark)
            if not columns:
                whole.append(mark)
        cells = tuple(
            ShownCell(text, tuple(by_column.get(name, ())))
            for name, text in zip(view.columns, row.cells, strict=False)
        )
        rows.append(ShownRow(row.number, cells, tuple(whole)))
    return rows


def counting_columns(declaration: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The columns of a declared table that say how many people there are."""
    declared = declaration or {}
    contributors = declared.get("contributors")
    names = (declared.get("count"), contributors.get("count") if isinstance(contributors, Mapping) else None)
    return tuple(name for name in names if isinstance(name, str))[:1]


def _items(evidence: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each cell that the evidence names, as a mapping."""
    for value in evidence.values():
        if isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield item
    for name in _names(evidence.get("cells")):
        yield {"cell": name}


def _names(value: Any) -> list[str]:
    """The texts of a value: one, those of a list, or the keys of a mapping."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | Mapping) else []
