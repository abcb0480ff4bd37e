"""The declared tables of an order: those that can be read; what cannot is said by the check `table`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.errors import InputError
from phems.output_checks.plugin import CheckContext, finding
from phems.output_checks.table_batches import is_table, open_table
from phems.output_checks.tables.reading import TooLargeError, can_be_read, read_table
from phems.output_checks.tables.table import DeclaredTable, folded


@dataclass(frozen=True)
class OpenedTable:
    """A table of the order, and the file that it stands in."""

    file: CheckedFile
    table: DeclaredTable


def read_or_none(file: CheckedFile, declaration: Mapping[str, Any] | None = None) -> DeclaredTable | None:
    """The table of a file, or None for one that is undeclared, unfit or too large."""
    if not can_be_read(file) and (declaration is None or not is_table(file)):
        return None
    try:
        return read_table(file, declaration=declaration)
    except Exception:  # noqa: BLE001 - whatever Arrow raises; the check `table` says so
        return None


def is_too_large(file: CheckedFile) -> bool:
    """Whether the file is a declared table that is not read row by row."""
    try:
        if can_be_read(file):
            read_table(file)
    except TooLargeError:
        return True
    except Exception:  # noqa: BLE001 - whatever Arrow raises; the check `table` says so
        return False
    return False


def opened(files: Iterable[CheckedFile]) -> Iterator[OpenedTable]:
    """The declared tables among the files."""
    for file in files:
        table = read_or_none(file)
        if table is not None:
            yield OpenedTable(file, table)


def same_columns(file: CheckedFile, peers: Iterable[CheckedFile]) -> Mapping[str, Any] | None:
    """The declaration of a peer with the same columns as an undeclared table; None without one.

    Who leaves out the declaration of the second of two tables should not keep them from being compared.
    """
    columns = _columns(file)
    if not columns:
        return None
    return next((peer.declaration for peer in peers if peer.declaration and _columns(peer) == columns), None)


def _columns(file: CheckedFile) -> frozenset[str]:
    try:
        return frozenset(map(folded, open_table(file).names)) if is_table(file) else frozenset()
    except Exception:  # noqa: BLE001 - whatever Arrow raises; no table, no columns
        return frozenset()


class ReadsAsDeclared:
    """A declared table is what its declaration says: columns, numbers, one row for each cell."""

    name = "table"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:  # noqa: ARG002
        """See `FileCheck`."""
        if not can_be_read(file):
            return []
        try:
            table = read_table(file)
        except InputError as error:
            return [finding(self, file.path, Verdict.FAIL, error.what, why=error.why, remedy=error.remedy)]
        except TooLargeError as error:
            words = f"no check of single cells is made: {error}; a person must look"
            return [finding(self, file.path, Verdict.REVIEW, words)]
        evidence = {"rows": len(table.rows), "dimensions": list(table.dimensions)}
        return [finding(self, file.path, Verdict.PASS, "it reads as declared", **evidence)]


CHECK = ReadsAsDeclared()
