"""What governance knows of a run: who asked for it, what code and capsule it is, whether it was let through.

Nothing of it is project code's: no name of a job, no config, no log. Those are the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from phems.domain.actors import Actor
from phems.domain.capsules import GrantedData, granted_data
from phems.errors import NotFoundError
from phems.services.ports import Governance, Transaction
from phems.services.project_access import ProjectAccess


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run. `admitted_at` and `capsule` are None for a run that was not let through (yet)."""

    run_id: str
    project: str
    requested_by: str
    requested_at: datetime
    code_digest: str
    commit: str | None
    capsule: str | None
    admitted_at: datetime | None
    data_sources: tuple[str, ...]


class Runs:
    """The use case."""

    def __init__(self, governance: Governance, access: ProjectAccess) -> None:
        self._governance = governance
        self._access = access

    def show(self, actor: Actor, project: str, run_id: str) -> RunFacts:
        """The facts of a run of the project; of another project's run there are none."""
        self._access.check(actor, "run.list", project)
        with self._governance.transaction() as work:
            submission, admission = work.runs.submission(run_id), work.runs.admission(run_id)
            if submission is None or submission.project != project:
                raise NotFoundError(
                    f"{project} has no run {run_id}.",
                    why="no run of this name was asked for through the node.",
                    remedy=f"phems run list --project {project}",
                )
            code_digest = admission.code_digest if admission is not None else submission.code_digest
            commit, _ = work.runs.code_of(project, code_digest)
        return RunFacts(
            run_id=run_id,
            project=project,
            requested_by=submission.requester,
            requested_at=submission.at,
            code_digest=code_digest,
            commit=commit,
            capsule=admission.capsule if admission is not None else None,
            admitted_at=admission.at if admission is not None else None,
            data_sources=submission.needed_sources,
        )

    def admitted_data(self, run_id: str) -> Mapping[str, GrantedData] | None:
        """The data sources that a run was admitted with; None for one that was not. Asks for no person."""

        def act(work: Transaction) -> Mapping[str, GrantedData] | None:
            admission = work.runs.admission(run_id)
            capsule = work.runs.capsule(admission.capsule) if admission is not None else None
            return granted_data(capsule.document) if capsule is not None else None

        return self._governance.act(act)
