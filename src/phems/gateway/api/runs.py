"""What governance knows of runs. Launching and following them is the engine's: GraphQL, `phems run`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from phems.gateway.api.asking import Cases, Person, Project, row
from phems.services.run_facts import RunFacts

router = APIRouter(prefix="/projects/{project}/runs", tags=["run"])

Run = Annotated[str, Path(description="The run's id.", max_length=100)]


@router.get("/{run}", **row("run.facts", "run.list"))
def facts(cases: Cases, person: Person, project: Project, run: Run) -> RunFacts:
    """Who asked for a run, what code and capsule it is, and whether it was let through."""
    return cases.runs.show(person, project, run)
