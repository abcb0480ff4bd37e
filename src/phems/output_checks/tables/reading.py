"""Reading a file as the table that its author declared; what does not fit is said, with the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phems.contract.disclosure import checked_declaration
from phems.domain.output_checks import CheckedFile
from phems.errors import InputError
from phems.output_checks.table_batches import is_table, open_table
from phems.output_checks.tables.numbers import ceiling, decimals, number, whole_number
from phems.output_checks.tables.table import Coordinates, DeclaredTable, Row, folded, spelt

MAX_ROWS = 200_000
# What stands for a total where the author declares no marker.
_USUAL_TOTALS = frozenset({"total", "totals", "all", "overall"})


class TooLargeError(Exception):
    """A table has more rows than are looked at one by one."""


def can_be_read(file: CheckedFile) -> bool:
    """Whether the file is a table, and declared."""
    return file.declaration is not None and is_table(file)


def read_table(
    file: CheckedFile, *, declaration: Mapping[str, Any] | None = None, most: int = MAX_ROWS
) -> DeclaredTable:
    """The declared table of a file; `declaration` in place of the file's own.

    Raises `InputError` when the declaration is unusable or the file does not match it, `TooLargeError`
    over `most` rows, and what Arrow raises when the file is no table.
    """
    declared = checked_declaration(declaration if declaration is not None else file.declaration)
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
        largest = {f"largest {rank}": name for rank, name in enumerate(contributors.get("largest", ()))}
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
        pairs = [(dimension, folded(texts[column])) for column, dimension in self.dimensions]
        suppressed = {role for role, column in self.numbers.items() if folded(texts[column]) == self.mark}

        def read(role: str, parse: Callable[[str], Any], must_be: str) -> Any:
            if role not in self.numbers or role in suppressed:
                return None
            parsed = parse(texts[self.numbers[role]])
            if parsed is None:
                raise mismatch(
                    f"row {index} has {texts[self.numbers[role]][:40]!r} for {role}, which is not {must_be}",
                    remedy="declare what stands in a suppressed cell (suppressed), and the right columns",
                )
            return parsed

        ranks = [role for role in self.numbers if role.startswith("largest ")]
        largest = [read(role, number, "a number") for role in ranks]
        value = read("value", number, "a number")
        if value is not None:
            self.decimals = max(self.decimals, decimals(texts[self.numbers["value"]]))
        return Row(
            number=index,
            at=frozenset(pair for pair in pairs if pair[1] not in self.totals),
            count=read("count", whole_number, "a whole number, zero or more"),
            value=value,
            contributors=read("contributors", whole_number, "a whole number, zero or more"),
            largest=tuple(sorted((each for each in largest if each is not None), reverse=True)),
            suppressed=frozenset(suppressed),
            beside=tuple(name for column, name in self.others if number(texts[column]) is not None),
        )

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
