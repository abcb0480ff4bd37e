"""Secondary suppression, proved by an attack: can suppressed cells be worked out from what is shown?

All tables of one population are attacked together: those of the request, and those that left the node or
may leave it, as far as they fit each other. A suppressed cell whose smallest and largest possible value
are closer than the policy's `protection` is as good as published.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.tables.attacker import NoSolutionError, OutOfTimeError
from phems.output_checks.tables.audit import Audit, Rule, audit
from phems.output_checks.tables.history import that_may_be_out
from phems.output_checks.tables.lattice import (
    DoNotAddUpError,
    Layer,
    TooManyCellsError,
    build,
    count_layer,
    value_layer,
)
from phems.output_checks.tables.opened import opened
from phems.output_checks.tables.small_cells import MOST_SHOWN
from phems.output_checks.tables.table import DeclaredTable

_SHARE_OF_TIME = 0.7
_MOST_PAST_TABLES = 100

Subject = tuple[str, str, str]
"""What tables must share to be attacked together: population, unit, quantity."""

_LAYERS: Mapping[str, Callable[[DeclaredTable], Layer]] = {"counts": count_layer, "values": value_layer}

# Why a table was not attacked.
_TROUBLES: Mapping[type[Exception], str] = {
    DoNotAddUpError: "its totals are not the sums of its cells (rounded, overlapping, or means)",
    NoSolutionError: "its totals are not the sums of its cells (rounded, overlapping, or means)",
    TooManyCellsError: "it is too large to be attacked",
    OutOfTimeError: "the attack on its suppressed cells did not come to its end",
}


class Suppression:
    """What is not shown in declared tables cannot be worked out from what is."""

    name = "suppression"
    version = "1"

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        """See `RequestCheck`."""
        deadline = time.monotonic() + context.limits["seconds"] * _SHARE_OF_TIME
        subjects = _by_subject(each.table for each in opened(context.order.files))
        past = _past(context) if subjects else {}
        for key, layers in subjects.items():
            yield from self._on_subject(layers, past.get(key, ()), _rule(key, context), deadline)

    def _on_subject(
        self, present: Sequence[Layer], past: Sequence[Layer], rule: Rule, deadline: float
    ) -> Iterator[Finding]:
        fitting = _fitting(present, past, deadline)
        for layers in (fitting, present):
            try:
                found = audit(layers, rule, deadline=deadline)
            except tuple(_TROUBLES):
                continue
            left_out = past if layers is present else [layer for layer in past if layer not in fitting]
            yield from self._findings(present, found, rule, left_out)
            return
        for layer in present:
            others = [other for other in (*present, *past) if other is not layer]
            yield from self._by_itself(layer, rule, deadline, others)

    def _by_itself(
        self, layer: Layer, rule: Rule, deadline: float, others: Sequence[Layer]
    ) -> Iterator[Finding]:
        """What is found of a table that does not fit the others."""
        try:
            found = audit([layer], rule, deadline=deadline)
        except tuple(_TROUBLES) as trouble:
            words = f"{_TROUBLES[type(trouble)]}: a person must look"
            yield finding(self, layer.path, Verdict.REVIEW, words)
        else:
            yield from self._findings([layer], found, rule, others)

    def _findings(
        self, present: Sequence[Layer], found: Audit, rule: Rule, left_out: Sequence[Layer]
    ) -> Iterator[Finding]:
        evidence = {
            "attacked together": sorted(found.tables),
            "cells": found.cells,
            "attacked over fractions": found.over_fractions,
        }
        # Tables that do not fit may still open a cell that is hidden, in one of these or in one of those.
        is_hidden = found.cells or any(None in layer.amounts.values() for layer in left_out)
        for layer in present:
            if cells := found.disclosed.get(layer.path):
                words = f"{len(cells)} cells that are not shown can be worked out within {rule}"
                cells = cells[:MOST_SHOWN]
                yield finding(self, layer.path, Verdict.FAIL, words, disclosed=cells, **evidence)
            elif left_out and is_hidden:
                words = f"nothing was worked out, but {len(left_out)} tables of its population do not fit it"
                yield finding(self, layer.path, Verdict.REVIEW, words, **evidence)
            else:
                words = f"no cell that is not shown can be worked out within {rule}"
                words = words if found.cells else "no cell is suppressed or left out"
                yield finding(self, layer.path, Verdict.PASS, words, **evidence)


def _rule(subject: Subject, context: CheckContext) -> Rule:
    thresholds = context.thresholds
    if subject[2] == "counts":
        return Rule(counts=True, protection=thresholds["protection"], small_cell=thresholds["small_cell"])
    return Rule(counts=False, protection=thresholds["p_ratio"])


def _by_subject(tables: Iterable[DeclaredTable]) -> dict[Subject, list[Layer]]:
    """What the tables say, by what they say it about."""
    found: dict[Subject, list[Layer]] = defaultdict(list)
    for table in tables:
        for name, layer in _LAYERS.items():
            made = layer(table)
            if made.amounts and table.is_additive:
                quantity = name if name == "counts" else f"{name} of {table.value}"
                found[table.population, table.unit, quantity].append(made)
    return found


def _past(context: CheckContext) -> dict[Subject, list[Layer]]:
    """The tables that an attacker has or may still get; each once, the latest of them."""
    once: dict[str, CheckedFile] = {file.sha256: file for file in that_may_be_out(context.order)}
    for file in context.order.files:
        once.pop(file.sha256, None)
    return _by_subject(each.table for each in opened(list(once.values())[-_MOST_PAST_TABLES:]))


def _fitting(present: Sequence[Layer], past: Iterable[Layer], deadline: float) -> Sequence[Layer]:
    """The tables of the request, and those of the past whose shown cells do not contradict them."""
    fitting = list(present)
    for layer in past:
        if time.monotonic() > deadline:
            break
        try:
            build([*fitting, layer], left_out_is_zero=False)
        except (DoNotAddUpError, TooManyCellsError):
            continue
        fitting.append(layer)
    return fitting


CHECK = Suppression()
