"""Reading a file as the table that its author declared; what does not fit is said, with the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phems.contract.disclosure import checked_declaration
from phems.domain.output_checks import CheckedFile
from phems.errors import InputError
from phems.output_checks.table_batches import is_table, open_table
from phems.output_checks.tables.numbers import ceiling, decimals, number, whole_number
from phems.output_checks.tables.table import Coordinates, DeclaredTable, Row, folded, spelt

MAX_ROWS = 200_000
MAX_BYTES = 32 << 20
# What stands for a total where the author declares no marker.
_USUAL_TOTALS = frozenset({"total", "totals", "all", "overall"})
_LARGEST = "largest "
_COUNTS = frozenset({"count", "contributors"})
_WHOLE, _NUMBER = "a whole number, zero or more", "a number"
_NOTHING: frozenset[str] = frozenset()


class TooLargeError(Exception):
    """A table is larger than can be looked at row by row."""


def can_be_read(file: CheckedFile) -> bool:
    """Whether the file is a table, and declared."""
    return file.declaration is not None and is_table(file)


def read_table(
    file: CheckedFile, *, declaration: Mapping[str, Any] | None = None, most: int = MAX_ROWS
) -> DeclaredTable:
    """The declared table of a file; `declaration` in place of the file's own.

    Raises `InputError` when the declaration is unusable or the file does not match it, `TooLargeError`
    over `most` rows or `MAX_BYTES`, and what Arrow raises when the file is no table.
    """
    declared = checked_declaration(declaration if declaration is not None else file.declaration)
    if file.place.stat().st_size > MAX_BYTES:
        raise TooLargeError(f"it has more than {MAX_BYTES:,} bytes")
    opened = open_table(file)
    layout = _Layout.of(opened.names, declared)
    rows: list[Row] = []
    known: dict[Coordinates, int] = {}
    for texts in _texts(opened.batches):
        if len(rows) >= most:
            raise TooLargeError(f"it has more than {most:,} rows")
        row = layout.row(len(rows) + 1, texts)
        if known.setdefault(row.at, row.number) != row.number:
            raise mismatch(
                f"rows {known[row.at]} and {row.number} are about the same cell ({spelt(row.at)})",
                remedy="declare every column that tells rows apart (dimensions), and the mark of totals",
            )
        rows.append(row)
    return layout.table(file.path, tuple(rows))


def mismatch(why: str, *, remedy: str) -> InputError:
    """What is said when file and declaration do not fit."""
    return InputError("The table is not what its declaration says.", why=why, remedy=remedy)


def _texts(batches: Iterator[Any]) -> Iterator[tuple[str, ...]]:
    for batch in batches:
        columns = [column.to_pylist() for column in batch.columns]
        yield from zip(*columns, strict=True)


@dataclass
class _Layout:
    """Where in a row everything stands."""

    declared: Mapping[str, Any]
    dimensions: Sequence[tuple[int, str]]
    numbers: Mapping[str, int]
    """Column of `count`, `value`, `contributors`, `largest 0`, `largest 1`, ..."""
    others: Sequence[tuple[int, str]]
    totals: frozenset[str]
    mark: str | None
    decimals: int = field(default=0)

    @classmethod
    def of(cls, names: Sequence[str], declared: Mapping[str, Any]) -> _Layout:
        contributors = declared["contributors"] or {}
        largest = {f"{_LARGEST}{rank}": name for rank, name in enumerate(contributors.get("largest", ()))}
        columns = {
            "count": declared["count"],
            "value": declared["value"],
            "contributors": contributors.get("count"),
            **largest,
        }
        named = [*declared["dimensions"], *filter(None, columns.values())]
        missing = sorted({name for name in named if names.count(name) != 1})
        if missing:
            raise mismatch(
                f"it has not exactly one column {missing[0]!r}; its columns are {', '.join(names)[:500]}",
                remedy="name columns in the declaration as they stand in the file",
            )
        marker = declared["totals"]
        return cls(
            declared,
            dimensions=[(names.index(name), folded(name)) for name in declared["dimensions"]],
            numbers={role: names.index(name) for role, name in columns.items() if name},
            others=[(index, name) for index, name in enumerate(names) if name not in named],
            totals=_USUAL_TOTALS if marker is None else frozenset({folded(marker)}),
            mark=None if declared["suppressed"] is None else folded(declared["suppressed"]),
        )

    def row(self, index: int, texts: Sequence[str]) -> Row:
        """One row, from its texts."""
        suppressed = self._suppressed(texts)
        numbers: dict[str, Any] = {}
        for role, column in self.numbers.items():
            if role not in suppressed:
                parse, must_be = (whole_number, _WHOLE) if role in _COUNTS else (number, _NUMBER)
                numbers[role] = parse(texts[column])
                if numbers[role] is None:
                    raise mismatch(
                        f"row {index} has {texts[column][:40]!r} for {role}, which is not {must_be}",
                        remedy="declare what stands in a suppressed cell (suppressed), and the right columns",
                    )
        if "value" in numbers:
            self.decimals = max(self.decimals, decimals(texts[self.numbers["value"]]))
        pairs = [(dimension, folded(texts[column])) for column, dimension in self.dimensions]
        largest = (each for role, each in numbers.items() if role.startswith(_LARGEST))
        return Row(
            number=index,
            at=frozenset(pair for pair in pairs if pair[1] not in self.totals),
            count=numbers.get("count"),
            value=numbers.get("value"),
            contributors=numbers.get("contributors"),
            largest=tuple(sorted(largest, reverse=True)),
            suppressed=suppressed,
            beside=tuple(name for column, name in self.others if number(texts[column]) is not None),
        )

    def _suppressed(self, texts: Sequence[str]) -> frozenset[str]:
        if self.mark is None:
            return _NOTHING
        marked = [role for role, column in self.numbers.items() if folded(texts[column]) == self.mark]
        return frozenset(marked) if marked else _NOTHING

    def table(self, path: str, rows: tuple[Row, ...]) -> DeclaredTable:
        """The table of all rows."""
        contributors = self.declared["contributors"] or {}
        return DeclaredTable(
            path=path,
            kind=self.declared["kind"],
            unit=folded(self.declared["unit"]),
            population=folded(self.declared["population"]),
            dimensions=tuple(name for _, name in self.dimensions),
            count=self.declared["count"],
            value=self.declared["value"],
            contributors=contributors.get("count"),
            largest=tuple(contributors.get("largest", ())),
            marks_suppressed=self.mark is not None,
            ceiling=ceiling(self.mark) if self.mark is not None else None,
            resolution=10.0**-self.decimals,
            other_columns=tuple(name for _, name in self.others),
            rows=rows,
        )
