"""Lineage as a page: the way from the versions of data to released bytes, drawn, and in full as tables."""

from __future__ import annotations

from starlette.responses import Response

from phems.domain.outputs import name_of
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.lineage_drawing import HIGH, WIDE, drawn
from phems.gateway.site.page import Page
from phems.gateway.site.projects import trail_of
from phems.gateway.site.run_words import requester_words
from phems.gateway.spelling import short

MOST_FILES = 500
_TITLES = {
    "release": "Lineage of release request {}",
    "run": "Lineage of run {}",
    "file": "Lineage of the file {}",
}


def _show(ask: Ask) -> Response:
    project = ask.name("project")
    found = ask.cases.lineages.of(ask.person, project, ask.name("what"))
    name = found.name if found.subject == "release" else short(found.name)
    return ask.answer(
        "lineage.html",
        {
            "title": _TITLES[found.subject].format(name),
            "trail": trail_of(project),
            "project": project,
            "drawing": drawn(found),
            "wide": WIDE,
            "high": HIGH,
            "files": [(name_of(file.path), file) for file in found.files[:MOST_FILES]],
            "files_in_all": len(found.files),
            "runs": found.runs,
            "requester_words": requester_words,
            "may_runs": ask.may("run.list", project),
            "may_code": ask.may("code.list", project),
            "may_releases": ask.may("release.list", project),
        },
    )


def link_to(ask: Ask, project: str, what: str) -> str | None:
    """The page of a lineage, for who may read it."""
    return address("projects", project, "lineage", what) if ask.may("lineage.read", project) else None


PAGES = (Page("/projects/{project}/lineage/{what}", _show),)
