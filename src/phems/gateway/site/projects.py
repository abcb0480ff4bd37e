"""Projects: those that a person has a role in, and one with its people, code, data, rules and latest work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from phems.domain.code_revisions import CodeRevisionState
from phems.domain.permissions import Role
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.page import Page
from phems.gateway.site.rule_words import rules_in_words
from phems.gateway.site.run_words import requester_words

if TYPE_CHECKING:
    from phems.domain.code_revisions import CodeRevision
    from phems.nodespec.projects import Project

LATEST = 5
Trail = list[tuple[str, str]]

_MEMBERS = (
    (Role.DATA_ANALYST, "Write code, launch runs, ask for releases"),
    (Role.OUTPUT_CHECKER, "Vote on the files of release requests"),
    (Role.INFORMATION_ASSET_OWNER, "Approve code, run capsules and rules for the Data Controller"),
)


@dataclass(frozen=True)
class Grant:
    """A data source that a project may read."""

    source: str
    title: str
    format: str
    until: str


def trail_of(project: str, *more: tuple[str, str]) -> Trail:
    """Where a page of a project stands."""
    return [("Projects", "/projects"), (project, address("projects", project)), *more]


def _list(ask: Ask) -> Response:
    found = ask.cases.spec.projects
    rows = [
        (name, found[name].title, sorted(role.title for role in ask.cases.roles_in(ask.person.name, name)))
        for name in ask.projects()
    ]
    return ask.answer("projects.html", {"title": "Projects", "rows": rows})


def _show(ask: Ask) -> Response:
    name = ask.known_project()
    spec, project = ask.cases.spec, ask.cases.spec.project(name)
    revisions = ask.cases.code_revisions.list(ask.person, name)
    may_releases = ask.may("release.list", name)
    return ask.answer(
        "project.html",
        {
            "title": project.title or name,
            "trail": trail_of(name)[:1],
            "name": name,
            "project": project,
            "members": [(role.title, what, getattr(project.members, role.value)) for role, what in _MEMBERS],
            "coordinators": project.members.coordinator,
            "approved": _approved(revisions),
            "undecided": sum(
                revision.state in {CodeRevisionState.SUBMITTED, CodeRevisionState.UNDER_REVIEW}
                for revision in revisions
            ),
            "grants": _grants(ask, project),
            "rules": rules_in_words(spec.policy_of(name)),
            "policy_version": ask.cases.policy_versions.get(name),
            "runs": ask.cases.project_runs.list(ask.person, name, limit=LATEST).runs,
            "requester_words": requester_words,
            "may_releases": may_releases,
            "may_mlflow": project.mlflow and ask.may("mlflow.read", name),
            "releases": ask.cases.releases.list(ask.person, name, limit=LATEST) if may_releases else (),
        },
    )


def _approved(revisions: Sequence[CodeRevision]) -> CodeRevision | None:
    return next((each for each in revisions if each.state is CodeRevisionState.APPROVED), None)


def _grants(ask: Ask, project: Project) -> list[Grant]:
    sources = ask.cases.spec.data_sources
    return [
        Grant(
            grant.source,
            sources[grant.source].title or "",
            sources[grant.source].format,
            grant.expires.isoformat() if grant.expires else "",
        )
        for grant in project.data_grants
        if grant.source in sources
    ]


PAGES = (Page("/projects", _list), Page("/projects/{project}", _show))
