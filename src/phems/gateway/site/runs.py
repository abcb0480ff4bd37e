"""Runs of a project, and one run: what it is, who let it through, and what it wrote."""

from __future__ import annotations

from starlette.responses import Response

from phems.domain.outputs import name_of
from phems.errors import InputError, PhemsError
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.lineage import link_to
from phems.gateway.site.page import Page
from phems.gateway.site.projects import trail_of
from phems.gateway.site.run_words import capsule_parts, requester_words, what_of
from phems.services.code_approvals import CountedApproval
from phems.services.project_runs import RunView

PAGE_OF_RUNS = 50
MOST_OUTPUTS = 500


def _list(ask: Ask) -> Response:
    project = ask.known_project()
    before = ask.query("before")
    found = ask.cases.project_runs.list(
        ask.person, project, before=_number(before) if before else None, limit=PAGE_OF_RUNS
    )
    older = address("projects", project, "runs", before=found.before) if found.before else None
    return ask.answer(
        "runs.html",
        {
            "title": f"Runs of {project}",
            "trail": trail_of(project),
            "project": project,
            "runs": found.runs,
            "older": older,
            "is_first": not before,
            "requester_words": requester_words,
        },
    )


def _show(ask: Ask) -> Response:
    project = ask.known_project()
    view = ask.cases.project_runs.show(ask.person, project, ask.name("run"))
    may_outputs = ask.may("release.list", project)
    outputs = ask.cases.outputs.list(ask.person, project, view.run_id) if may_outputs else ()
    return ask.answer(
        "run.html",
        {
            "title": f"Run {view.run_id[:8]}",
            "trail": trail_of(project, ("Runs", address("projects", project, "runs"))),
            "project": project,
            "view": view,
            "what": what_of(view.engine) if view.engine else "",
            "requester_words": requester_words,
            "approvals": _approvals(ask, project, view),
            "mlflow": view.engine.mlflow if view.engine and ask.may("mlflow.read", project) else None,
            "parts": capsule_parts(view.capsule) if view.capsule is not None else (),
            "outputs": [(name_of(output.path), output) for output in outputs[:MOST_OUTPUTS]],
            "outputs_in_all": len(outputs),
            "may_outputs": may_outputs,
            "lineage": link_to(ask, project, view.run_id) if view.facts is not None else None,
            "may_ask": bool(outputs) and ask.may("release.request", project),
        },
    )


def _approvals(ask: Ask, project: str, view: RunView) -> list[CountedApproval]:
    """Who approved the code that the run is of, and whether that counts today."""
    if view.facts is None or view.facts.commit is None:
        return []
    try:
        return list(ask.cases.code_revisions.approvals(ask.person, project, view.facts.commit))
    except PhemsError:
        return []  # of what one may not know, the page says nothing


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(2**53))):
        raise InputError("There is no such page of runs.", remedy="Begin anew, with the last runs.")
    return int(text)


PAGES = (Page("/projects/{project}/runs", _list), Page("/projects/{project}/runs/{run}", _show))
