"""Differencing against the past: a table beside every earlier release and request of the project.

What has left the node cannot be called back: a second table one patient apart from it singles that
patient out, however large all counts are. What is still asked for counts as if it had left. What was
rejected, withdrawn, returned or replaced by a later turn did not leave, and is for a person to judge.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.table_batches import is_table
from phems.output_checks.tables.differences import Comparison, Counts, compare, with_margins
from phems.output_checks.tables.history import that_may_be_out
from phems.output_checks.tables.linked import foremost, shown
from phems.output_checks.tables.opened import read_or_none, same_columns
from phems.output_checks.tables.small_cells import MOST_SHOWN
from phems.output_checks.tables.table import DeclaredTable, spelt

# Of the time of a check, in which tables of the past are read.
_SHARE_OF_TIME = 0.7


@dataclass(frozen=True)
class _Past:
    """A table of the past, and whether it left or may leave the node."""

    file: CheckedFile
    table: DeclaredTable
    counts: Counts
    may_be_out: bool


@dataclass
class _Compared:
    """What became of one table of the request."""

    findings: list[Finding] = field(default_factory=list)
    tables: int = 0


class Differencing:
    """No table is a few people apart from one that was asked for before."""

    name = "differencing"
    version = "1"

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        """See `RequestCheck`."""
        order = context.order
        deadline = time.monotonic() + context.limits["seconds"] * _SHARE_OF_TIME
        declared = [file for file in (*order.files, *order.history) if file.declaration]
        present = []
        for file in order.files:
            table = read_or_none(file, None if file.declaration else same_columns(file, declared))
            if table is not None and table.counts:
                present.append((file, table, with_margins(table), _Compared()))
        if not present:
            return
        unread: list[str] = []
        for past in self._past(context, declared, deadline, unread):
            for file, table, counts, compared in present:
                if table.unit == past.table.unit:
                    compared.tables += 1
                    found = compare(counts, past.counts, context.thresholds["small_cell"])
                    compared.findings += self._on_pair(file, table, past, found)
        for file, _, _, compared in present:
            yield from foremost(compared.findings)
            yield from self._in_sum(file, compared, unread)

    def _past(
        self, context: CheckContext, declared: list[CheckedFile], deadline: float, unread: list[str]
    ) -> Iterator[_Past]:
        """The tables of the past, once each; what cannot be read is added to `unread`."""
        out = set(map(id, that_may_be_out(context.order)))
        for file in filter(is_table, context.order.history):
            may_be_out = id(file) in out
            table = None
            if time.monotonic() < deadline:
                table = read_or_none(file, None if file.declaration else same_columns(file, declared))
            if table is not None and table.counts:
                yield _Past(file, table, with_margins(table), may_be_out)
            elif may_be_out:
                unread.append(f"{file.request_id}: {file.path}")

    def _on_pair(
        self, file: CheckedFile, table: DeclaredTable, past: _Past, found: Comparison
    ) -> Iterator[Finding]:
        is_one_population = table.population == past.table.population or not (
            table.population and past.table.population
        )
        verdict = _verdict(found, is_one_population=is_one_population, may_be_out=past.may_be_out)
        evidence = {
            "other": past.file.path,
            "request": past.file.request_id,
            "turn": past.file.turn,
            "state": past.file.state,
            "populations": [table.population, past.table.population],
        }
        if found.differences and verdict:
            words = f"{len(found.differences)} cells are a few people apart from {_named(past)}"
            cells = shown(found.differences)
            yield finding(self, file.path, verdict, words, cells=cells, shared=found.shared, **evidence)
        if found.uncovered and is_one_population and past.may_be_out:
            words = (
                f"{len(found.uncovered)} cells are suppressed in one and shown in the other, {_named(past)}"
            )
            cells_uncovered = [spelt(at) for at in found.uncovered[:MOST_SHOWN]]
            yield finding(self, file.path, Verdict.FAIL, words, cells=cells_uncovered, **evidence)

    def _in_sum(self, file: CheckedFile, compared: _Compared, unread: list[str]) -> Iterator[Finding]:
        if unread:
            words = (
                f"{len(unread)} earlier tables could not be compared: undeclared, unreadable, or no time left"
            )
            yield finding(self, file.path, Verdict.REVIEW, words, tables=unread[:MOST_SHOWN])
        elif not compared.findings:
            words = f"it is not a few people apart from any of {compared.tables} earlier tables"
            yield finding(self, file.path, Verdict.PASS, words, compared=compared.tables)


def _verdict(found: Comparison, *, is_one_population: bool, may_be_out: bool) -> Verdict | None:
    """What small differences mean; None for populations neither of which can hold the other."""
    if is_one_population or found.is_few_apart:
        return Verdict.FAIL if may_be_out else Verdict.REVIEW
    return Verdict.REVIEW if found.is_nested else None


def _named(past: _Past) -> str:
    return f"{past.file.name} of request {past.file.request_id}"


CHECK = Differencing()
