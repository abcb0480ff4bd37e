"""Degrees of freedom: a model with nearly as many parameters as people gives the people back.

Regression results are safe when enough residual degrees of freedom are left and the model is not
saturated (Brandt et al. 2010, section on regressions; SDC Handbook, Griffiths et al.; the ten of
GRASP/ACRO). The numbers are the author's word; what can be held against each other is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.tables.opened import read_or_none


def judged(model: Mapping[str, Any], least_dof: int, small_cell: int) -> tuple[Verdict, str]:
    """What the declared numbers of a model say."""
    observations, parameters = model.get("observations"), model.get("parameters")
    told = None if observations is None or parameters is None else observations - parameters
    most = observations if told is None else told
    dof = model.get("residual_dof", told)
    # The first that holds decides.
    rules = (
        (
            dof is None,
            Verdict.REVIEW,
            "neither residual degrees of freedom are declared, nor what gives them",
        ),
        (most is not None and _over(dof, most), Verdict.FAIL, "more degrees of freedom than there can be"),
        (_over(least_dof, dof), Verdict.FAIL, f"fewer than {least_dof} residual degrees of freedom"),
        (_over(small_cell, observations), Verdict.FAIL, f"fitted to fewer than {small_cell} observations"),
        (told is None, Verdict.REVIEW, "observations and parameters are not declared beside it"),
    )
    passed = (Verdict.PASS, f"at least {least_dof} residual degrees of freedom")
    return next(((verdict, words) for holds, verdict, words in rules if holds), passed)


def _over(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one > other


class DegreesOfFreedom:
    """A regression has enough residual degrees of freedom."""

    name = "degrees-of-freedom"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """See `FileCheck`."""
        declaration = file.declaration or {}
        model, kind = declaration.get("model"), declaration.get("kind")
        if kind == "regression" and not model:
            words = "its degrees of freedom are not declared (model): a person must look"
            yield finding(self, file.path, Verdict.REVIEW, words)
        if not model:
            return
        thresholds = context.thresholds
        least, small_cell = thresholds["residual_dof"], thresholds["small_cell"]
        yield finding(
            self, file.path, *judged(model, least, small_cell), model=dict(model), residual_dof=least
        )
        table = read_or_none(file) if kind == "regression" else None
        parameters = model.get("parameters")
        if table is not None and parameters is not None and len(table.rows) > parameters:
            words = f"it has {len(table.rows)} rows, and {parameters} parameters are declared"
            yield finding(self, file.path, Verdict.REVIEW, words)


CHECK = DegreesOfFreedom()
