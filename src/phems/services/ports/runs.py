"""What governance keeps of runs: who asked for which, and which were let through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class RunSubmission:
    """A run that was asked for through the node. `fingerprint` is of the run row at that moment."""

    run_id: str
    project: str
    requester: str
    code_digest: str
    fingerprint: str
    needed_sources: tuple[str, ...]
    at: datetime


@dataclass(frozen=True)
class RunAdmission:
    """A run that was let through, and the capsule that says what it is."""

    run_id: str
    project: str
    code_digest: str
    capsule: str
    at: datetime


class RunStore(Protocol):
    """Submissions and admissions; written once, never changed."""

    def add_submission(self, submission: RunSubmission) -> None:
        """Record one; a second of the same run is an error."""
        ...

    def submission(self, run_id: str) -> RunSubmission | None:
        """What is known of how a run was asked for."""
        ...

    def add_admission(self, admission: RunAdmission) -> None:
        """Record one; a run that is resumed keeps its first."""
        ...

    def admission(self, run_id: str) -> RunAdmission | None:
        """The admission of a run, if it was let through."""
        ...
