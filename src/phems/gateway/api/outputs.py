"""Outputs of runs, for who asks for a release or checks one. Their bytes are read in a release request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from phems.domain.outputs import Output
from phems.gateway.api.asking import Cases, Person, Project, row
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page

router = APIRouter(prefix="/projects/{project}/outputs", tags=["release"])

Run = Annotated[str | None, Query(max_length=100, description="Those of one run alone.")]


@router.get("", **row("output.list", "release.list"))
def list_(
    cases: Cases,
    person: Person,
    project: Project,
    run: Run = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[Output]:
    """List the outputs of a project, the last registered first."""
    found = cases.outputs.list(person, project, run)
    return page(found, lambda output: (output.at.isoformat(), output.path), cursor, limit)
