"""What a plug-in is: an object of the entry point group `phems.output_checks`.

A package adds checks by entry points, each naming one check (an instance, not a class):

    [project.entry-points."phems.output_checks"]
    small-cells = "phems.output_checks.tables.small_cells:CHECK"

A `FileCheck` is asked once for each file; a `RequestCheck` once for the request, with the files of
every earlier request beside it. Either runs in a process of its own under a time and a memory limit:
it may read the files of its order and write below `context.scratch`; there is nothing else to reach.
Whatever it raises becomes `fail`, "could not be checked". Findings are taken under the check's own
name and version, whatever they say; a check that gives none about a file has nothing to say of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from phems.domain.output_checks import CheckedFile, CheckOrder, Finding, Verdict

GROUP = "phems.output_checks"


@dataclass(frozen=True)
class CheckContext:
    """What a check may know: its order, and a folder for intermediate files."""

    order: CheckOrder
    scratch: Path

    @property
    def thresholds(self) -> Mapping[str, Any]:
        """The policy's disclosure thresholds, all of them (see `phems.nodespec.output_checks`)."""
        thresholds: Mapping[str, Any] = self.order.policy["thresholds"]
        return thresholds

    @property
    def limits(self) -> Mapping[str, Any]:
        """The policy's `checks` section: rows, columns, seconds, bytes of memory."""
        limits: Mapping[str, Any] = self.order.policy["checks"]
        return limits


@runtime_checkable
class FileCheck(Protocol):
    """A check on one file by itself."""

    name: str
    version: str

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:
        """What there is to say of `file`; import heavy libraries in here."""
        ...


@runtime_checkable
class RequestCheck(Protocol):
    """A check on the request as a whole, or of its files against each other and against the past."""

    name: str
    version: str

    def check_request(self, context: CheckContext) -> Iterable[Finding]:
        """What there is to say of `context.order.files`, beside `context.order.history`.

        Findings name the file of this request that they are about, or None for the request.
        """
        ...


Check = FileCheck | RequestCheck


def finding(check: Check, path: str | None, verdict: Verdict, summary: str, /, **evidence: Any) -> Finding:
    """A finding of `check`, with what it rests on as keyword arguments (JSON values)."""
    return Finding(check.name, check.version, path, verdict, summary, evidence)
