"""Lineage: the way from a released number back to the data, code and decisions that it comes from.

Asked of a release request, of a run, or of a file by its SHA-256, which is the same on the way in and out. It
is read from what governance has on record: registered outputs, run capsules, approvals, votes. Of what
project code says of itself one thing is told: where it declared the columns of an asset to come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from phems.domain.actors import Actor
from phems.domain.capsules import shown
from phems.domain.lineage_events import declared_in
from phems.domain.outputs import Output
from phems.domain.release_packages import votes_on
from phems.domain.releases import FrozenFile, ReleaseRequest
from phems.domain.run_lineage import RunLineage
from phems.errors import NotFoundError
from phems.services.ports import Governance, Transaction
from phems.services.project_access import ProjectAccess

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_REQUEST = re.compile(r"rr-[a-z2-7]+\Z")


@dataclass(frozen=True)
class FileRelease:
    """A file in a release request. Who decided what is told once it was released: before, votes are blind."""

    request: str
    turn: int
    state: str
    released_at: datetime | None = None
    decision: str | None = None
    checkers: tuple[str, ...] = ()
    package_digest: str | None = None


@dataclass(frozen=True)
class FileLineage:
    """A file that a step of a run registered."""

    path: str
    sha256: str
    size: int
    run_id: str
    step_key: str
    releases: tuple[FileRelease, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """`subject` is what was asked about: `release`, `run` or `file`, and its name."""

    project: str
    subject: str
    name: str
    files: tuple[FileLineage, ...]
    runs: tuple[RunLineage, ...]


class Lineages:
    """The use case."""

    def __init__(self, governance: Governance, access: ProjectAccess) -> None:
        self._governance = governance
        self._access = access

    def of(self, actor: Actor, project: str, what: str) -> Lineage:
        """The lineage of a release request, of a file by its SHA-256, or else of a run.

        NotFoundError when the project has none of that name; another project's looks as if there were none.
        """
        self._access.check(actor, "lineage.read", project)
        with self._governance.transaction() as work:
            if _REQUEST.match(what):
                return _of_release(work, project, what)
            if _SHA256.match(what):
                return _of_file(work, project, what)
            return _of_run(work, project, what)


def _of_release(work: Transaction, project: str, name: str) -> Lineage:
    request = work.releases.get(name)
    if request is None or request.project != project:
        raise _missing(project, f"release request {name}", f"phems release list --project {project}")
    files = tuple(_file(file, _release(request, file)) for file in request.outputs())
    return _lineage(work, project, "release", name, files)


def _of_file(work: Transaction, project: str, digest: str) -> Lineage:
    outputs = work.outputs.with_digest(project, digest)
    if not outputs:
        raise _missing(
            project,
            f"file with the SHA-256 {shown(digest)}...",
            "See whether it was changed since: phems release verify PACKAGE",
        )
    asked = work.releases.with_file(project, digest)
    files = tuple(
        _file(
            output,
            *(
                _release(request, file)
                for request in asked
                for file in request.outputs()
                if (file.path, file.run_id, file.sha256) == (output.path, output.run_id, digest)
            ),
        )
        for output in outputs
    )
    return _lineage(work, project, "file", digest, files)


def _of_run(work: Transaction, project: str, run_id: str) -> Lineage:
    submission = work.runs.submission(run_id)
    if submission is None or submission.project != project:
        raise _missing(project, f"run {run_id}", f"phems run list --project {project}")
    files = tuple(map(_file, work.outputs.of_run(project, run_id)))
    return Lineage(project, "run", run_id, files, (_run(work, project, run_id),))


def _lineage(
    work: Transaction, project: str, subject: str, name: str, files: Sequence[FileLineage]
) -> Lineage:
    runs = sorted({file.run_id for file in files})
    return Lineage(
        project, subject, name, tuple(files), tuple(_run(work, project, run_id) for run_id in runs)
    )


def _file(found: Output | FrozenFile, *releases: FileRelease) -> FileLineage:
    return FileLineage(found.path, found.sha256, found.size, found.run_id, found.step_key, releases)


def _release(request: ReleaseRequest, file: FrozenFile) -> FileRelease:
    if request.released_at is None:
        return FileRelease(request.id, request.turn, request.state.value)
    return FileRelease(
        request.id,
        request.turn,
        request.state.value,
        released_at=request.released_at,
        decision=request.decision_on(file.path).value,
        checkers=tuple(vote.checker for vote in votes_on(request, file.path)),
        package_digest=request.package_digest,
    )


def _run(work: Transaction, project: str, run_id: str) -> RunLineage:
    record, told = run_record(work, project, run_id), work.lineage.last_of_run(run_id)
    return record if told is None else replace(record, assets=declared_in(told))


def run_record(work: Transaction, project: str, run_id: str) -> RunLineage:
    """What governance has on record of a run; its id alone when that is nothing."""
    submission, admission = work.runs.submission(run_id), work.runs.admission(run_id)
    if submission is None or submission.project != project:
        return RunLineage(run_id)
    code_digest = admission.code_digest if admission else submission.code_digest
    commit, _ = work.runs.code_of(project, code_digest)
    revision = work.code_revisions.get(project, commit) if commit else None
    kept = work.runs.capsule(admission.capsule) if admission else None
    document = kept.document if kept else {}
    return RunLineage(
        run_id,
        requested_by=submission.requester,
        requested_at=submission.at,
        admitted_at=admission.at if admission else None,
        capsule=admission.capsule if admission else None,
        commit=commit,
        code_digest=code_digest,
        approved_by=tuple(sorted(revision.approvers())) if revision else (),
        environment_digest=document.get("environment", {}).get("digest"),
        policy_version=document.get("policy_version"),
        data=dict(_versions(document.get("data", {}))),
    )


def _versions(data: Mapping[str, Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    return ((name, found["version"]) for name, found in sorted(data.items()))


def _missing(project: str, what: str, remedy: str) -> NotFoundError:
    return NotFoundError(
        f"{project} has no {what}.", why="nothing of this name is on record in the project.", remedy=remedy
    )
