"""Release requests: a project's list of them, one of them with its review, and its package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from phems.domain.outputs import name_of
from phems.domain.release_states import UNDER_REVIEW
from phems.domain.release_views import ReleaseView
from phems.errors import InputError
from phems.gateway.api.packages import package_reply
from phems.gateway.site.ask import Ask, address
from phems.gateway.site.findings import shown_findings
from phems.gateway.site.lineage import link_to
from phems.gateway.site.page import ACT_FIELD, Page
from phems.gateway.site.release_again import PAGE as AGAIN
from phems.gateway.site.release_forms import FIELDS, FORMS, missing_reason
from phems.gateway.site.release_rows import file_rows, grouped, missing_field
from phems.gateway.site.release_standing import PHASES, STATES, next_steps, standing, unvoted
from phems.gateway.site.seen import mark
from phems.services.release_summaries import summary_of

_LATEST_TURN = 1_000_000
PAGE_OF_REQUESTS = 50


def _list(ask: Ask) -> Response:
    project = ask.known_project()
    before = ask.query("before") or None
    found = ask.cases.releases.list(ask.person, project, limit=PAGE_OF_REQUESTS + 1, before=before)
    views, is_more = found[:PAGE_OF_REQUESTS], len(found) > PAGE_OF_REQUESTS
    rows = [(view, standing(ask, view)) for view in views]
    waiting = {
        view.request.id: len(unvoted(view, ask.person.name)) if may.may_vote else 0 for view, may in rows
    }
    values = {
        "title": f"Release requests of {project}",
        "trail": _trail(project)[:-1],
        "project": project,
        "rows": sorted(views, key=lambda view: not waiting[view.request.id]),
        "waiting": waiting,
        "states": STATES,
        "is_first": before is None,
        "older": address("projects", project, "releases", before=views[-1].request.id) if is_more else None,
        "may_ask": ask.may("release.request", project),
    }
    return ask.answer("releases.html", values)


def _show(ask: Ask) -> Response:
    name = ask.name("request")
    turn = _turn(ask)
    view = ask.cases.releases.show(ask.person, name, turn=turn)
    latest = view if turn is None else ask.cases.releases.show(ask.person, name)
    past = view.request.turn != latest.request.turn
    summary, may = summary_of(view), standing(ask, latest)
    rows = file_rows(ask, view, past=past)
    values: dict[str, Any] = {
        "title": f"Release request {name}",
        "trail": _trail(summary.project),
        "request": summary,
        "view": view,
        "may": may,
        "past": past,
        "steps": [] if past else next_steps(ask, latest, may),
        "state_words": STATES[view.request.state],
        "phase_words": PHASES[view.phase] if view.request.state in UNDER_REVIEW else "",
        "findings": shown_findings(summary.findings),
        "groups": grouped(view, rows),
        "comments": summary.comments,
        "history": [
            (event, (name_of(event.about) or event.about) if event.about else "")
            for event in ask.cases.releases.history(ask.person, name)
        ],
        "turns": _turns(latest),
        "lineage": link_to(ask, summary.project, name),
        "seen": mark(summary_of(latest)),
        "error_field": FIELDS.get(ask.text(ACT_FIELD), ""),
        "runs": [
            (run, address("projects", summary.project, "runs", run.run_id), run.commit)
            for run in view.request.runs
        ],
    }
    if ask.error is not None:
        values["error_field"] = missing_field(ask, rows) or missing_reason(ask) or values["error_field"]
    return ask.answer("release.html", values)


def _package(ask: Ask) -> Response:
    """The released package as a tar, verified against its manifest."""
    name = ask.name("request")
    released_at = ask.cases.releases.show(ask.person, name).request.released_at
    return package_reply(
        name, lambda folder: ask.cases.releases.download(ask.person, name, folder), at=released_at
    )


def _turns(latest: ReleaseView) -> list[Mapping[str, Any]]:
    ended = [(turn.turn, turn.state.value) for turn in latest.request.ended_turns]
    return [
        {"turn": turn, "state": state, "link": address("releases", latest.request.id, turn=turn)}
        for turn, state in (*ended, (latest.request.turn, latest.request.state.value))
    ]


def _turn(ask: Ask) -> int | None:
    given = ask.query("turn")
    if not given:
        return None
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:9]) <= _LATEST_TURN:
        raise InputError("That is no turn of a request.", remedy="Choose one on the request's page.")
    return int(given[:9])


def _trail(project: str) -> list[tuple[str, str]]:
    return [
        ("Projects", "/projects"),
        (project, address("projects", project)),
        ("Release requests", address("projects", project, "releases")),
    ]


PAGES = (
    Page("/projects/{project}/releases", _list),
    Page("/releases/{request}", _show, FORMS),
    AGAIN,
    Page("/releases/{request}/package", _package),
)
