"""Runs: what the engine and governance know of them. They are launched over GraphQL, as `phems run` does."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from phems.gateway.api.asking import Cases, Person, Project, row
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, decoded, encoded
from phems.services.ports.engine_runs import EngineRun
from phems.services.run_facts import RunFacts

router = APIRouter(prefix="/projects/{project}/runs", tags=["run"])

Run = Annotated[str, Path(description="The run's id.", max_length=100)]


@router.get("", **row("run.list", "run.list"))
def list_(
    cases: Cases, person: Person, project: Project, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[EngineRun]:
    """List the runs of a project, the last made first."""
    before = decoded(cursor, types=[int])[0] if cursor is not None else None
    found = cases.project_runs.list(person, project, before=before, limit=limit)
    after = encoded([found.before]) if found.before is not None else None
    return Page(items=list(found.runs), next_cursor=after)


@router.get("/{run}", **row("run.facts", "run.list"))
def facts(cases: Cases, person: Person, project: Project, run: Run) -> RunFacts:
    """Who asked for a run, what code and capsule it is, and whether it was let through."""
    return cases.runs.show(person, project, run)
