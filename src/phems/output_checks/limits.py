"""The check of sizes: bytes of any file, rows and columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.table_batches import is_table, open_table


class Limits:
    """Size, rows and columns within what the policy allows."""

    name = "limits"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """See `FileCheck`."""
        measured: dict[str, Any] = {"bytes": file.place.stat().st_size}
        allowed = {"bytes": context.order.policy["max_file_size"]}
        if is_table(file):
            table = open_table(file)
            allowed |= {"columns": context.limits["max_columns"], "rows": context.limits["max_rows"]}
            measured["columns"] = len(table.names)
            measured["rows"] = _count(table.batches, allowed["rows"])
        over = [name for name, most in allowed.items() if measured[name] > most]
        summary = f"too many {' and '.join(over)}" if over else "within the limits"
        verdict = Verdict.FAIL if over else Verdict.PASS
        return [finding(self, file.path, verdict, summary, measured=measured, allowed=allowed)]


def _count(batches: Iterator[Any], enough: int) -> int:
    """The rows of a table; counting ends a batch after `enough`."""
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        if rows > enough:
            break
    return rows


CHECK = Limits()
