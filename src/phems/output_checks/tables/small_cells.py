"""Small cells: few people behind a number, everybody in one cell, or numbers beside a suppressed count.

The minimum frequency rule (Hundepool et al. 2012, Statistical Disclosure Control, ch. 5; Brandt et al.
2010, Guidelines for the checking of output based on microdata research: ten units by rule of thumb) and
group disclosure (ibid.; here where everybody is in one category, not where nearly everybody is).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.tables.large import counted
from phems.output_checks.tables.opened import is_too_large, read_or_none
from phems.output_checks.tables.table import Coordinates, DeclaredTable, Row, spelt

# Evidence names so many cells; the summary says how many there are.
MOST_SHOWN = 50
_OF_ZEROS = {"allow": None, "review": Verdict.REVIEW, "fail": Verdict.FAIL}


def small_cells(table: DeclaredTable, threshold: int) -> list[tuple[Row, int]]:
    """The rows with fewer people behind them than `threshold`, other than none, and how many."""
    found = []
    for row in table.rows:
        counts = [count for count in (row.count, row.contributors) if count is not None]
        if any(0 < count < threshold for count in counts):
            found.append((row, min(count for count in counts if count)))
    return found


def zero_cells(table: DeclaredTable) -> list[Row]:
    """The rows that nobody is behind."""
    return [row for row in table.rows if table.counts.get(row.at) == 0]


def told_beside(table: DeclaredTable) -> list[Row]:
    """The rows whose count is suppressed while another number of theirs stands in the table."""
    counting = {role for role in ("count", "contributors") if getattr(table, role)}
    return [
        row
        for row in table.rows
        if row.suppressed & counting
        and (
            row.beside
            or row.value is not None
            or row.largest
            or any(number is not None for number in (row.count, row.contributors))
        )
    ]


def full_cells(table: DeclaredTable) -> Iterator[tuple[Coordinates, str, str]]:
    """Groups with everybody in one category, others being empty: (group, dimension, category).

    Who knows that somebody is of the group knows their category.
    """
    lines: dict[tuple[Coordinates, str], list[tuple[str, int | None]]] = defaultdict(list)
    for at, count in table.counts.items():
        for dimension, category in at:
            lines[at - {(dimension, category)}, dimension].append((category, count))
    for (group, dimension), cells in lines.items():
        filled = [category for category, count in cells if count != 0]
        if len(cells) > 1 and len(filled) == 1:
            yield group, dimension, filled[0]


class SmallCells:
    """No cell of a declared table is about fewer people than the policy's threshold."""

    name = "small-cells"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """See `FileCheck`."""
        table = read_or_none(file)
        if table is None and is_too_large(file):
            yield from self._on_large(file, context)
        if table is None or not table.rows or table.kind == "survival":
            return
        if not table.count and not table.contributors:
            if table.kind in {"frequency", "magnitude"}:
                words = "no column is declared that counts people: small cells cannot be seen"
                yield finding(self, file.path, Verdict.REVIEW, words)
            return
        found = list(self._found(table, context))
        yield from found
        if not any(each.verdict is Verdict.FAIL for each in found):
            threshold = context.thresholds["small_cell"]
            words = f"no cell is about fewer than {threshold} {table.unit}"
            yield finding(self, file.path, Verdict.PASS, words, threshold=threshold, cells=len(table.rows))

    def _on_large(self, file: CheckedFile, context: CheckContext) -> Iterator[Finding]:
        """A table that is not read row by row: its counts are, in blocks."""
        threshold = context.thresholds["small_cell"]
        for column in counted(file, file.declaration or {}, threshold):
            if column.small:
                words = (
                    f"{column.small:,} counts are of fewer than {threshold}; the table is too large to name"
                )
                yield finding(self, file.path, Verdict.FAIL, f"{words} them", **asdict(column))
            else:
                words = f"of {column.read:,} counts none is of fewer than {threshold}"
                yield finding(
                    self, file.path, Verdict.REVIEW, f"{words}; nothing else was seen", **asdict(column)
                )

    def _found(self, table: DeclaredTable, context: CheckContext) -> Iterator[Finding]:
        threshold = context.thresholds["small_cell"]
        if small := small_cells(table, threshold):
            words = f"{len(small)} of {len(table.rows)} cells are about fewer than {threshold} {table.unit}"
            cells = [_shown(row, count=count) for row, count in small[:MOST_SHOWN]]
            yield finding(self, table.path, Verdict.FAIL, words, threshold=threshold, cells=cells)
        if told := told_beside(table):
            words = f"{len(told)} rows with a suppressed count show other numbers"
            cells = [_shown(row, columns=[*row.beside]) for row in told[:MOST_SHOWN]]
            yield finding(self, table.path, Verdict.FAIL, words, cells=cells)
        on_zeros = _OF_ZEROS[context.thresholds.get("zero_cells", "allow")]
        if on_zeros and (zeros := zero_cells(table)):
            words = f"{len(zeros)} cells are empty: that nobody is there can be told of everybody"
            yield finding(
                self, table.path, on_zeros, words, cells=[_shown(row) for row in zeros[:MOST_SHOWN]]
            )
        if table.is_additive and (full := list(full_cells(table))):
            words = f"in {len(full)} groups everybody is in one category: to know the group is to know it"
            groups = [
                {"group": spelt(group), dimension: category}
                for group, dimension, category in full[:MOST_SHOWN]
            ]
            yield finding(self, table.path, Verdict.REVIEW, words, groups=groups)
        if table.other_columns and table.kind in {"frequency", "magnitude"}:
            words = "columns that the declaration does not name are not checked: a person must look"
            yield finding(self, table.path, Verdict.REVIEW, words, columns=list(table.other_columns))


def _shown(row: Row, **more: Any) -> dict[str, Any]:
    return {"row": row.number, "cell": spelt(row.at), **more}


CHECK = SmallCells()
