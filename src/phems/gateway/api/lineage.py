"""Lineage: the way from a released file back to the data, code and decisions that it comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from phems.gateway.api.asking import Cases, Person, Project, row
from phems.services.lineage import Lineage

router = APIRouter(prefix="/projects/{project}/lineage", tags=["lineage"])

Subject = Annotated[
    str,
    Path(description="A release request, a run, or the SHA-256 of a file.", max_length=100),
]


@router.get("/{subject}", **row("lineage.show", "lineage.read"))
def show(cases: Cases, person: Person, project: Project, subject: Subject) -> Lineage:
    """Where released files, the outputs of a run, or one file come from."""
    return cases.lineages.of(person, project, subject)
