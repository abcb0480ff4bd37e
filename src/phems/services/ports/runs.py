"""What governance keeps of runs: who asked for which, and which were let through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from phems.domain.capsules import GrantedData


@dataclass(frozen=True)
class RunSubmission:
    """A run that was asked for through the node. `fingerprint` is of the run row at that moment.

    `capsule` is the run capsule as it would have been admitted then; what counts is that of the admission.
    """

    run_id: str
    project: str
    requester: str
    code_digest: str
    fingerprint: str
    needed_sources: tuple[str, ...]
    at: datetime
    capsule: str = ""


@dataclass(frozen=True)
class RunAdmission:
    """A run that was let through, and the capsule that says what it is.

    `data` is what the capsule names, for who has just let the run through; the store has it in the capsule.
    """

    run_id: str
    project: str
    code_digest: str
    capsule: str
    at: datetime
    data: Mapping[str, GrantedData] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class RunCase:
    """All that is on record of a run when it is to start.

    `commit` names the code revision with the submission's digest that may run, else any that has it;
    `policy_version` is the label of the version in force.
    """

    submission: RunSubmission
    admission: RunAdmission | None
    commit: str | None
    policy_version: str


@dataclass(frozen=True)
class CapsuleDocument:
    """A run capsule in full, as it was digested; see `phems.domain.capsules`."""

    digest: str
    project: str
    document: Mapping[str, Any]


class RunStore(Protocol):
    """Submissions, admissions and run capsules; written once, never changed."""

    def add_submission(self, submission: RunSubmission) -> None:
        """Record one; a second of the same run is an error."""
        ...

    def submission(self, run_id: str) -> RunSubmission | None:
        """What is known of how a run was asked for."""
        ...

    def case(self, run_id: str) -> RunCase | None:
        """What admission asks about a run, in one query; None for one that was not asked for."""
        ...

    def code_of(self, project: str, code_digest: str) -> tuple[str | None, str]:
        """The commit and the policy version, as in a `RunCase`, before a run is submitted."""
        ...

    def add_admission(self, admission: RunAdmission, document: Mapping[str, Any] | None = None) -> None:
        """Record one with its capsule in full; the first of a run stays."""
        ...

    def admission(self, run_id: str) -> RunAdmission | None:
        """The admission of a run."""
        ...

    def code_digests(self, project: str) -> Mapping[str, str]:
        """The content digest of the code of each run of a project that was let through."""
        ...

    def add_capsule(self, capsule: CapsuleDocument) -> None:
        """Keep a capsule in full. Idempotent."""
        ...

    def capsule(self, digest: str) -> CapsuleDocument | None:
        """A capsule in full. Raises `IntegrityError` when it is not what its digest names."""
        ...

    def capsule_named(self, project: str, prefix: str) -> tuple[str, ...]:
        """At most two digests of the project's capsules that begin so; a run id stands for its capsule."""
        ...
