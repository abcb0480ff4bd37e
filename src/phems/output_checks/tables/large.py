"""Counts of a table that is too large to be looked at row by row: few people are seen all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phems.domain.output_checks import CheckedFile
from phems.output_checks.table_batches import open_table

# Whole numbers as files have them; what else stands in a count column is counted as not read.
_WHOLE = r"^\s*\d{1,15}(\.0+)?\s*$"


@dataclass(frozen=True)
class Counted:
    """The counts of one column."""

    column: str
    read: int
    not_read: int
    """Cells that hold no whole number: suppressed ones, and whatever else."""
    small: int
    """Counts below the threshold, and not zero."""


def counted(file: CheckedFile, declaration: Mapping[str, Any], threshold: int) -> list[Counted]:
    """What the declared count columns hold, in bounded memory."""
    contributors = declaration.get("contributors") or {}
    wanted = {name for name in (declaration.get("count"), contributors.get("count")) if name}
    table = open_table(file)
    found = {index: Counted(name, 0, 0, 0) for index, name in enumerate(table.names) if name in wanted}
    for batch in table.batches:
        for index, before in found.items():
            found[index] = _with(before, batch.column(index), threshold)
    return list(found.values())


def _with(before: Counted, texts: Any, threshold: int) -> Counted:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pc.match_substring_regex(texts, _WHOLE)
    numbers = pc.cast(pc.utf8_trim_whitespace(pc.filter(texts, whole)), pa.float64())
    small = pc.and_(pc.greater(numbers, 0), pc.less(numbers, threshold))
    return Counted(
        before.column,
        before.read + len(numbers),
        before.not_read + len(texts) - len(numbers),
        before.small + (pc.sum(small).as_py() or 0),
    )
