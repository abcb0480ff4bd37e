"""A page of a table: searched, sorted and cut in here, so that a page holds no more than a person reads.

A table that is not sorted is read as a stream, whatever its size.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from phems.domain.file_views import FileView, TableRow, ViewOrder
from phems.output_checks.table_batches import open_table
from phems.output_checks.tables.table import folded, spelt

PAGE_ROWS = 100
MAX_COLUMNS = 100
LONGEST_CELL = 500
MAX_SORTED = 500_000
_TOTALS = frozenset({"total", "totals", "all", "overall"})

Naming = Callable[[tuple[str, ...]], str]


def table_view(order: ViewOrder) -> FileView:
    """The page of the rows that are asked for. Raises what Arrow raises when the file is no table."""
    query = order.query
    table = open_table(order.file)
    naming = _naming(table.names, order.file.declaration)
    page = max(query.page, 1)
    first, last = (page - 1) * PAGE_ROWS, page * PAGE_ROWS
    notes: list[str] = []
    kept: list[TableRow] = []
    sorts = query.sort is not None and 1 <= query.sort <= len(table.names)
    begin, end = (0, MAX_SORTED) if sorts else (first, last)
    total = 0
    for row in _rows(table.batches, naming):
        if _asked_for(order, row):
            if begin <= total < end:
                kept.append(row)
            total += 1
    if sorts and query.sort is not None:
        kept = _sorted(kept, query.sort - 1, last, descending=query.descending)[first:]
        notes += [f"only the first {MAX_SORTED:,} rows are sorted"] if total > MAX_SORTED else []
    if len(table.names) > MAX_COLUMNS:
        notes.append(f"only the first {MAX_COLUMNS} of {len(table.names):,} columns are shown")
    return FileView(
        "table",
        note="; ".join(notes),
        page=page,
        pages=max(1, -(-total // PAGE_ROWS)),
        total=total,
        columns=tuple(_cut(name) for name in table.names[:MAX_COLUMNS]),
        rows=tuple(_shown(row) for row in kept),
    )


def _rows(batches: Iterator[Any], naming: Naming) -> Iterator[TableRow]:
    numbers = count(1)
    for batch in batches:
        columns = [column.to_pylist() for column in batch.columns]
        for cells in zip(*columns, strict=True):
            yield TableRow(next(numbers), cells, naming(cells))


def _asked_for(order: ViewOrder, row: TableRow) -> bool:
    query = order.query
    if query.only_rows is not None and not (row.number in query.only_rows or row.name in query.only_cells):
        return False
    search = query.search.casefold()
    return not search or any(search in cell.casefold() for cell in row.cells)


def _sorted(rows: list[TableRow], column: int, most: int, *, descending: bool) -> list[TableRow]:
    """The first `most` rows in the order of a column: numbers by their size, then texts."""

    def key(row: TableRow) -> tuple[bool, float, str]:
        number = _number(row.cells[column])
        return (number is None, number if number is not None else 0.0, row.cells[column])

    return (heapq.nlargest if descending else heapq.nsmallest)(most, rows, key=key)


def _number(text: str) -> float | None:
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return None
    return number if number == number else None  # noqa: PLR0124 - what is no number sorts with the texts


def _naming(names: tuple[str, ...], declaration: Mapping[str, Any] | None) -> Naming:
    """How the findings of the checks name a row's cell; empty for a table that nobody declared."""
    dimensions = (declaration or {}).get("dimensions") or ()
    places = [(names.index(name), folded(name)) for name in dimensions if name in names]
    if not places:
        return lambda _: ""
    marker = (declaration or {}).get("totals")
    totals = _TOTALS if marker is None else frozenset({folded(str(marker))})

    def named(cells: tuple[str, ...]) -> str:
        pairs = ((dimension, folded(cells[place])) for place, dimension in places)
        return spelt(pair for pair in pairs if pair[1] not in totals)

    return named


def _shown(row: TableRow) -> TableRow:
    return TableRow(row.number, tuple(_cut(cell) for cell in row.cells[:MAX_COLUMNS]), row.name)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}..."
