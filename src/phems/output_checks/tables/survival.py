"""Survival tables (Kaplan-Meier): the steps of a curve are the events of people, one by one if fine enough.

From one time to the next, the number at risk falls by those who had the event or left; the estimate
falls by d of n at risk, so that n (1 - S(t) / S(t-1)) is the number of events d. Either below the
threshold, and not none, is a small cell (SDC Handbook, Griffiths et al., survival analysis; ACRO
applies its threshold to the same steps). Tables by intervals wide enough are safe, curves by day are not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.tables.numbers import number
from phems.output_checks.tables.opened import read_or_none
from phems.output_checks.tables.small_cells import MOST_SHOWN
from phems.output_checks.tables.table import Coordinates, DeclaredTable, Row, spelt

# Estimates are rounded: events are told from them to within this share of a person.
_SHARE_OF_A_PERSON = 0.5


@dataclass(frozen=True)
class Step:
    """What one row of a curve says about few people."""

    row: Row
    what: str
    people: float


class NoTimesError(Exception):
    """The last dimension does not hold times."""


def curves(table: DeclaredTable) -> Mapping[Coordinates, Sequence[tuple[float, Row]]]:
    """The rows of each group in the order of time; time is the last dimension. Raises `NoTimesError`."""
    if not table.dimensions:
        raise NoTimesError("no dimension is declared; the last one must be the time")
    time_column = table.dimensions[-1]
    found: dict[Coordinates, list[tuple[float, Row]]] = defaultdict(list)
    for row in table.rows:
        at = dict(row.at)
        time = number(at.pop(time_column, ""))
        if time is None:
            raise NoTimesError(f"row {row.number} has no time in {time_column!r}, the last dimension")
        found[frozenset(at.items())].append((time, row))
    return {group: sorted(rows, key=lambda each: each[0]) for group, rows in found.items()}


def small_steps(table: DeclaredTable, threshold: int) -> Iterator[Step]:
    """Every number at risk, fall of it, and number of events that is about fewer people than that."""
    for rows in curves(table).values():
        for _, row in rows:
            if row.count is not None and 0 < row.count < threshold:
                yield Step(row, "at risk", row.count)
        for (_, earlier), (_, row) in pairwise(rows):
            if earlier.count is None or row.count is None:
                continue
            if 0 < abs(earlier.count - row.count) < threshold:
                yield Step(row, "at risk less than before", abs(earlier.count - row.count))
        before: Row | None = None
        for _, row in rows:
            events = _events(before, row)
            if events is not None and _SHARE_OF_A_PERSON < events < threshold:
                yield Step(row, "events", round(events, 1))
            before = row


def _events(before: Row | None, row: Row) -> float | None:
    """How many had the event since the row before, as the estimates tell; None when they do not."""
    start = 1.0 if before is None else before.value
    at_risk = row.count if before is None else before.count
    if start is None or row.value is None or at_risk is None or not 0 < start <= 1 or row.value > start:
        return None
    return at_risk * (1 - row.value / start)


class SurvivalSteps:
    """No step of a survival table is of few people."""

    name = "survival-steps"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """See `FileCheck`."""
        table = read_or_none(file)
        if table is None or table.kind != "survival":
            return
        if table.count is None:
            words = "no column is declared that counts those at risk: steps of few people cannot be seen"
            yield finding(self, file.path, Verdict.REVIEW, words)
            return
        threshold = context.thresholds["small_cell"]
        try:
            steps = list(small_steps(table, threshold))
        except NoTimesError as error:
            yield finding(self, file.path, Verdict.FAIL, f"it is no survival table: {error}")
            return
        if steps:
            words = f"{len(steps)} steps are of fewer than {threshold} {table.unit}: use wider intervals"
            shown = [
                {"row": step.row.number, "cell": spelt(step.row.at), "what": step.what, "people": step.people}
                for step in steps[:MOST_SHOWN]
            ]
            yield finding(self, file.path, Verdict.FAIL, words, threshold=threshold, steps=shown)
        else:
            words = f"no step is of fewer than {threshold} {table.unit}"
            yield finding(self, file.path, Verdict.PASS, words, threshold=threshold)


CHECK = SurvivalSteps()
