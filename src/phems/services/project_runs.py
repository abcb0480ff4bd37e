"""A project's runs for its people: the engine's word on each, with what governance knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.domain.actors import Actor
from phems.domain.canonical import LARGEST_INT
from phems.domain.capsule_approvals import CapsuleApproval
from phems.errors import InputError, NotFoundError
from phems.services.ports import Governance
from phems.services.ports.engine_runs import EngineRun, EngineRunHistory
from phems.services.project_access import ProjectAccess
from phems.services.run_facts import RunFacts, Runs


@dataclass(frozen=True)
class RunList:
    """Some of a project's runs, the last made first; `before` is for the next ones, if there are any."""

    runs: tuple[EngineRun, ...]
    before: int | None


@dataclass(frozen=True)
class RunView:
    """One run. What is None is not there, or not yet."""

    run_id: str
    project: str
    engine: EngineRun | None
    facts: RunFacts | None
    refusal: str | None
    capsule: Mapping[str, Any] | None
    capsule_approval: CapsuleApproval | None


class ProjectRuns:
    """The use cases."""

    def __init__(self, governance: Governance, access: ProjectAccess, engine: EngineRunHistory) -> None:
        self._governance = governance
        self._access = access
        self._engine = engine
        self._facts = Runs(governance, access)

    def list(self, actor: Actor, project: str, *, before: int | None = None, limit: int = 50) -> RunList:
        """The runs of a project, or those made before the one of that number."""
        self._access.check(actor, "run.list", project)
        if before is not None and not 0 < before <= LARGEST_INT:
            raise InputError("There is no such page of runs.", remedy="Begin anew, with the last runs.")
        found: Sequence[EngineRun] = self._engine.of_project(project, before=before, limit=limit + 1)
        shown = tuple(found[:limit])
        return RunList(shown, shown[-1].number if len(found) > limit else None)

    def show(self, actor: Actor, project: str, run_id: str) -> RunView:
        """One run; of another project's there is none."""
        self._access.check(actor, "run.list", project)
        engine = self._engine.one(project, run_id)
        facts = self._facts_of(actor, project, run_id)
        if engine is None and facts is None:
            raise NotFoundError(
                f"{project} has no run {run_id}.",
                why="neither the engine nor the node has one of this name on record.",
                remedy=f"phems run list --project {project}",
            )
        refusal = self._engine.refusal(run_id) if engine is not None and engine.status == "FAILURE" else None
        document, approval = None, None
        if facts is not None and facts.capsule is not None:
            with self._governance.transaction() as work:
                kept = work.runs.capsule(facts.capsule)
                approval = work.capsules.get(facts.capsule)
            document = kept.document if kept is not None else None
        return RunView(run_id, project, engine, facts, refusal, document, approval)

    def _facts_of(self, actor: Actor, project: str, run_id: str) -> RunFacts | None:
        try:
            return self._facts.show(actor, project, run_id)
        except NotFoundError:
            return None  # refused when it was asked for: governance keeps no submission
