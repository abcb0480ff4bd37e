"""The check for formulas: a cell of a text table that a spreadsheet would take for one, and run.

What begins with `=`, `+`, `-`, `@`, a tab or a carriage return (OWASP, "CSV Injection"), also in
full-width letters and behind spaces or quotes, unless it is a plain number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.domain.outputs import extension_of
from phems.output_checks.cells import cells
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.table_batches import TEXT_TABLES

_BEGINS = r"^[\t\r]|^[ '\"]*[=+\-@＝＋－＠]"  # noqa: RUF001 - the full-width ones
# A number, a lone sign for "missing", and what programs write for what is no number.
_HARMLESS = r"(?i)^[ ]*[+-]*(?:\d+(?:[.,]\d*)*|[.,]\d+)?(?:e[+-]?\d+)?[ ]*%?$|^[+-](?:inf|infinity|nan)$"


class Formulas:
    """No cell that a spreadsheet would run."""

    name = "formulas"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:  # noqa: ARG002
        """See `FileCheck`."""
        import pyarrow.compute as pc

        if extension_of(file.path) not in TEXT_TABLES:
            return
        found: Counter[str] = Counter()
        for batch in cells(file):
            texts = batch.texts.filter(pc.match_substring_regex(batch.texts, _BEGINS))
            if len(texts):
                harmful = pc.invert(pc.match_substring_regex(texts, _HARMLESS))
                found[batch.column] += pc.sum(harmful).as_py()
        columns = {column: number for column, number in found.items() if number}
        if columns:
            words = "cells that a spreadsheet would run as formulas"
            yield finding(self, file.path, Verdict.FAIL, words, columns=columns)
        else:
            yield finding(self, file.path, Verdict.PASS, "no cell is a formula")


CHECK = Formulas()
