"""Dominance: a sum that is so much one or two people's that who knows one can reckon the other.

For a cell with total T and contributions x1 >= x2 >= ... (all zero or more):

* (n, k) rule: unsafe when x1 + ... + xn makes up k % of T or more;
* p-ratio (p %) rule: unsafe when T - x1 - x2 is less than p % of x1, for then the second largest can
  reckon the largest within p %.

Sources: Hundepool et al. 2012, Statistical Disclosure Control, chapter 4; Brandt et al. 2010; both as
in GRASP/ACRO. A mean is taken as the sum that it stands for: of values of zero or more, no sum is
smaller than its largest part and no mean is larger, so that the numbers say which one it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from phems.domain.output_checks import Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.tables.opened import OpenedTable, opened
from phems.output_checks.tables.small_cells import MOST_SHOWN
from phems.output_checks.tables.table import DeclaredTable, Row, spelt

# Sums of decimals are not exact.
_SLACK = 1e-9


@dataclass(frozen=True)
class Rule:
    """The two dominance rules of a policy. `k` and `p` are percentages."""

    n: int
    k: float
    p: float


class CannotTell(Exception):  # noqa: N818 - no error of anybody
    """The numbers of a cell do not decide the rules; the message says why."""


def total_of(row: Row) -> float:
    """The sum that stands behind a row, its value being that sum or the mean of its contributors."""
    if row.value is None or not row.largest:
        raise CannotTell("its largest contributions are not declared")
    if row.value < 0 or row.largest[-1] < 0:
        raise CannotTell("it has negative contributions, for which the rules are not made")
    if row.value >= row.largest[0] * (1 - _SLACK):
        return row.value
    if row.contributors is None and row.count is None:
        raise CannotTell("it is a mean, and no column says of how many")
    return row.value * (row.contributors if row.contributors is not None else row.count or 0)


def broken_rules(row: Row, rule: Rule) -> dict[str, float]:
    """The rules that a cell breaks, with what was measured (percentages). Raises `CannotTell`."""
    total, largest = total_of(row), row.largest
    if total == 0:
        return {}
    needed = max(rule.n, 2)
    contributors = row.contributors if row.contributors is not None else row.count
    if len(largest) < needed and (contributors is None or len(largest) < contributors):
        raise CannotTell(f"{needed} largest contributions are needed, {len(largest)} are declared")
    if sum(largest) > total * (1 + _SLACK):
        raise CannotTell("its largest contributions are more than the whole")
    broken = {}
    share = 100 * sum(largest[: rule.n]) / total
    if share >= rule.k - _SLACK:
        broken["n-k"] = round(share, 3)
    rest = 100 * (total - sum(largest[:2])) / largest[0]
    if rest < rule.p - _SLACK:
        broken["p-ratio"] = round(max(rest, 0.0), 3)
    return broken


class Dominance:
    """No one or two people make up a cell of a magnitude table.

    What the largest contributors brought stands in the table, or better in a supporting file that links
    to it (or it to that): the contributions of single people are themselves not for release.
    """

    name = "dominance"
    version = "1"

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        """See `RequestCheck`."""
        order = context.order
        tables, supporting = (
            list(opened(file for file in files if (file.declaration or {}).get("kind") == "magnitude"))
            for files in (order.files, order.supporting)
        )
        for each in tables:
            if each.table.rows:
                yield from self._on_table(each, [*tables, *supporting], context)

    def _on_table(
        self, each: OpenedTable, tables: list[OpenedTable], context: CheckContext
    ) -> Iterator[Finding]:
        table, path = each.table, each.file.path
        if table.largest:
            words = "it shows what single people contributed: leave these columns to a supporting file"
            yield finding(self, path, Verdict.FAIL, words, columns=list(table.largest))
        rows = _with_contributions(each, tables)
        if rows is None:
            words = "the largest contributions of its cells are not declared: dominance cannot be seen"
            remedy = "give them in a supporting file with the same dimensions, and name it in links"
            yield finding(self, path, Verdict.REVIEW, words, remedy=remedy)
            return
        thresholds = context.thresholds
        rule = Rule(thresholds["dominance_n"], thresholds["dominance_k"], thresholds["p_ratio"])
        unsafe, unclear = [], []
        for row in rows:
            if "value" in row.suppressed:
                continue
            try:
                if broken := broken_rules(row, rule):
                    unsafe.append({"row": row.number, "cell": spelt(row.at), **broken})
            except CannotTell as reason:
                unclear.append({"row": row.number, "cell": spelt(row.at), "why": str(reason)})
        policy = {"n": rule.n, "k": rule.k, "p": rule.p}
        if unsafe:
            words = f"{len(unsafe)} of {len(rows)} cells are dominated by one or two people"
            yield finding(self, path, Verdict.FAIL, words, cells=unsafe[:MOST_SHOWN], rule=policy)
        if unclear:
            words = f"of {len(unclear)} cells dominance cannot be told"
            yield finding(self, path, Verdict.REVIEW, words, cells=unclear[:MOST_SHOWN], rule=policy)
        if not unsafe and not unclear:
            words = "no cell is dominated by one or two people"
            yield finding(self, path, Verdict.PASS, words, cells=len(rows), rule=policy)


def _with_contributions(each: OpenedTable, tables: list[OpenedTable]) -> list[Row] | None:
    """The rows, each with its largest contributions; None when nobody declared them."""
    if each.table.largest:
        return list(each.table.rows)
    for other in tables:
        if other.table.largest and _are_linked(each, other) and _match(each.table, other.table):
            evidence = {row.at: row for row in other.table.rows}
            return [_joined(row, evidence.get(row.at)) for row in each.table.rows]
    return None


def _are_linked(one: OpenedTable, other: OpenedTable) -> bool:
    return one is not other and (_links_to(one, other) or _links_to(other, one))


def _links_to(one: OpenedTable, other: OpenedTable) -> bool:
    links = (one.file.declaration or {}).get("links") or ()
    return other.file.name in links or other.file.path in links


def _match(table: DeclaredTable, other: DeclaredTable) -> bool:
    same = (table.population, table.unit) == (other.population, other.unit)
    return same and set(table.dimensions) == set(other.dimensions)


def _joined(row: Row, evidence: Row | None) -> Row:
    if evidence is None:
        return row
    contributors = evidence.contributors if evidence.contributors is not None else evidence.count
    own = row.contributors if row.contributors is not None else row.count
    return replace(row, largest=evidence.largest, contributors=own if own is not None else contributors)


CHECK = Dominance()
