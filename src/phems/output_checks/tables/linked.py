"""Linked tables: those of one request that are about one population, read beside each other.

They must say the same of the cells that they share. Where they are a few people apart, those people can
be singled out; where one shows what the other suppresses, nothing is suppressed (Hundepool et al. 2012,
chapter 4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

from phems.domain.output_checks import Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.tables.differences import Comparison, Difference, compare, with_margins
from phems.output_checks.tables.opened import OpenedTable, opened
from phems.output_checks.tables.small_cells import MOST_SHOWN
from phems.output_checks.tables.table import spelt


def shown(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """Differences as evidence."""
    return [
        {"cell": spelt(each.at), "here": each.here, "there": each.there, "apart": abs(each.here - each.there)}
        for each in list(differences)[:MOST_SHOWN]
    ]


def foremost(findings: Iterable[Finding], most: int = 20) -> list[Finding]:
    """The gravest findings, so many that people still read them."""
    return sorted(findings, key=lambda each: each.verdict is not Verdict.FAIL)[:most]


class LinkedTables:
    """Tables of one request and population agree, and give nothing away together."""

    name = "linked-tables"
    version = "1"

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        """See `RequestCheck`."""
        tables = list(opened(context.order.files))
        yield from self._lost_links(tables, context)
        counts = {each.file.path: with_margins(each.table) for each in tables}
        clean = {each.file.path for each in tables if each.table.counts}
        pairs = 0
        troubles: dict[str, list[Finding]] = defaultdict(list)
        for one, other in combinations(tables, 2):
            if one.table.population != other.table.population or one.table.unit != other.table.unit:
                continue
            paths = (one.file.path, other.file.path)
            found = compare(counts[paths[0]], counts[paths[1]], context.thresholds["small_cell"])
            pairs += 1
            troubles[paths[0]] += self._on_pair(paths, found)
            troubles[paths[1]] += self._on_pair(paths[::-1], _turned(found))
        for path in sorted(counts):
            yield from foremost(troubles[path])
            if pairs and path in clean and not troubles[path]:
                words = "it agrees with the other tables of the request"
                yield finding(self, path, Verdict.PASS, words)

    def _on_pair(self, paths: tuple[str, str], found: Comparison) -> Iterator[Finding]:
        path, other = paths
        if found.differences:
            words = f"{len(found.differences)} cells are a few people apart from the same cells of {other}"
            yield finding(self, path, Verdict.FAIL, words, other=other, cells=shown(found.differences))
        if found.uncovered:
            words = f"{len(found.uncovered)} cells that one table suppresses are shown by the other, {other}"
            cells = [spelt(at) for at in found.uncovered[:MOST_SHOWN]]
            yield finding(self, path, Verdict.FAIL, words, other=other, cells=cells)
        if found.disagreements:
            words = f"{len(found.disagreements)} cells are not what the same cells of {other} say"
            yield finding(self, path, Verdict.REVIEW, words, other=other, cells=shown(found.disagreements))

    def _lost_links(self, tables: list[OpenedTable], context: CheckContext) -> Iterator[Finding]:
        order = context.order
        known = {name for file in (*order.files, *order.history) for name in (file.name, file.path)}
        for each in tables:
            links = (each.file.declaration or {}).get("links") or ()
            lost = [link for link in links if link not in known]
            if lost:
                words = "it is said to share cells with tables that nobody asked for: they are not compared"
                yield finding(self, each.file.path, Verdict.REVIEW, words, links=lost)


def _turned(found: Comparison) -> Comparison:
    """The same, seen from the other table."""
    return Comparison(
        found.shared,
        tuple(Difference(each.at, each.there, each.here) for each in found.differences),
        tuple(Difference(each.at, each.there, each.here) for each in found.disagreements),
        found.uncovered,
        found.is_nested,
    )


CHECK = LinkedTables()
