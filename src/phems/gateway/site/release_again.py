"""Asking again with a request that was given back: which outputs of which run go in which group now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from phems.domain.outputs import Output, name_of
from phems.domain.release_views import ReleaseView
from phems.domain.releases import FileKind
from phems.errors import InputError
from phems.gateway.site.ask import ACT_DONE, Ask, address
from phems.gateway.site.page import Page
from phems.gateway.site.seen import check_seen, mark
from phems.services.release_asks import AskedGroup, Case, Choice
from phems.services.release_summaries import summary_of

PLACE, CONTEXT, CONTROLS = "place:", "context:", "controls:"
_RELEASED, _SHOWN = "release:", "show:"


@dataclass(frozen=True)
class Offered:
    """An output that may be asked for: its name, and where it was in the last turn or is chosen to go."""

    output: Output
    name: str
    place: str


def _show(ask: Ask) -> Response:
    view = ask.cases.releases.show(ask.person, ask.name("request"))
    request = view.request
    outputs = ask.cases.outputs.list(ask.person, request.project)
    runs = list(dict.fromkeys(output.run_id for output in outputs))
    run = _run(ask, view, runs)
    values = {
        "title": f"Ask again: {request.id}",
        "trail": [
            ("Projects", "/projects"),
            (request.project, address("projects", request.project)),
            ("Release requests", address("projects", request.project, "releases")),
            (request.id, address("releases", request.id)),
        ],
        "request": request,
        "runs": runs,
        "run": run,
        "offered": [_offered(ask, view, output) for output in outputs if output.run_id == run],
        "context": {group.name: ask.text(CONTEXT + group.name, group.context) for group in request.groups},
        "controls": {group.name: ask.text(CONTROLS + group.name, group.controls) for group in request.groups},
        "code": _code(view),
        "seen": mark(summary_of(view)),
        "error_field": "files",
    }
    return ask.answer("release_again.html", values)


def _again(ask: Ask) -> str:
    """Ask again, with the files in the places that were chosen for them."""
    name = ask.name("request")
    view = ask.cases.releases.show(ask.person, name)
    check_seen(ask, summary_of(view), name=f"The release request {name}")
    groups = [group for group in _asked(ask, view) if group.outputs.files or group.supporting]
    if not any(group.outputs.files for group in groups):
        raise InputError("No file is chosen for release.", why="a request asks that outputs leave the node.")
    ask.cases.releases.resubmit_groups(ask.person, name, groups)
    return address("releases", name, **{ACT_DONE: "release.resubmit"})


def _asked(ask: Ask, view: ReleaseView) -> list[AskedGroup]:
    places = {field.removeprefix(PLACE): ask.text(field) for field in ask.fields if field.startswith(PLACE)}
    run = ask.text("run") or None
    code = _code(view)
    return [
        AskedGroup(
            Case(ask.text(CONTEXT + group.name), ask.text(CONTROLS + group.name)),
            Choice(run, tuple(path for path, place in places.items() if place == _RELEASED + group.name)),
            name=group.name,
            supporting=tuple(path for path, place in places.items() if place == _SHOWN + group.name),
            code=tuple(code.get(group.name, ())) if ask.text("code") == "yes" else (),
        )
        for group in view.request.groups
    ]


def _run(ask: Ask, view: ReleaseView, runs: Sequence[str]) -> str:
    """The run whose outputs are offered: as asked, or the newest that wrote a file of the same name."""
    asked = ask.query("run") or ask.text("run")
    if asked in runs:
        return asked
    last = [run.run_id for run in view.request.runs]
    return next(iter(runs), next(iter(last), ""))


def _offered(ask: Ask, view: ReleaseView, output: Output) -> Offered:
    name = name_of(output.path)
    before = {
        name_of(file.path): (_RELEASED if file.kind is FileKind.OUTPUT else _SHOWN) + file.group
        for file in view.request.files
        if file.kind in (FileKind.OUTPUT, FileKind.SUPPORTING)
    }
    return Offered(output, name, ask.text(PLACE + output.path) if ask.error else before.get(name, ""))


def _code(view: ReleaseView) -> dict[str, list[str]]:
    """The code files that the last turn showed, by group, as in the Code Repo."""
    shown: dict[str, list[str]] = {}
    for file in view.request.files:
        if file.kind is FileKind.CODE:
            shown.setdefault(file.group, []).append(name_of(file.path))
    return shown


PAGE = Page("/releases/{request}/again", _show, {"again": _again})
