"""Projects: those that the person has to do with, their members and the policy they are held to."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from phems.domain.permissions import check_may, may
from phems.gateway.api.asking import SIGNED_IN, Cases, Person, Project, check_knows, row
from phems.gateway.api.cursors import DEFAULT_LIMIT, Cursor, Limit, Page, page
from phems.gateway.api.use_cases import UseCases

router = APIRouter(prefix="/projects", tags=["projects"])


class ProjectSummary(BaseModel):
    """A project, as node.yaml has it."""

    name: str
    title: str | None
    repo: str
    branch: str
    policy: str = Field(description="The name of the policy it is held to.")


class ProjectDetails(ProjectSummary):
    """A project with its people and rules."""

    members: dict[str, list[str]] = Field(description="Names by role; coordinators are programs.")
    data_grants: dict[str, str | None] = Field(description="Data sources by name, with the last day.")
    rules: dict[str, Any] = Field(description="The policy in full.")


@router.get("", **row("project.list", SIGNED_IN))
def list_(
    cases: Cases, person: Person, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[ProjectSummary]:
    """List the projects that you may read, by name."""
    known = [name for name in cases.spec.projects if may(cases.roles_in(person.name, name), "project.read")]
    rows = [ProjectSummary.model_validate(_summary(cases, name)) for name in known]
    return page(rows, lambda row: (row.name,), cursor, limit, descending=False)


@router.get("/{project}", **row("project.show", "project.read"))
def show(cases: Cases, person: Person, project: Project) -> ProjectDetails:
    """Show one project: its members, data grants and rules."""
    check_knows(cases, person, project)
    check_may(person.name, cases.roles_in(person.name, project), "project.read", project)
    found = cases.spec.project(project)
    return ProjectDetails(
        **_summary(cases, project),
        members={role: list(names) for role, names in found.members},
        data_grants={
            grant.source: grant.expires.isoformat() if grant.expires else None for grant in found.data_grants
        },
        rules=cases.spec.policy_of(project).model_dump(mode="json"),
    )


def _summary(cases: UseCases, name: str) -> dict[str, Any]:
    found = cases.spec.project(name)
    return {
        "name": name,
        "title": found.title,
        "repo": found.code.repo,
        "branch": found.code.branch,
        "policy": found.policy,
    }
