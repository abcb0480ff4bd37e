"""Asking for the release of a run's outputs: which files, in which groups, with which context and controls.

The form works without a script: for another file group, or to have the output checks run for oneself, it is
sent, and comes back as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from phems.domain.output_checks import CheckReport, Verdict, worst
from phems.domain.outputs import Output, name_of
from phems.errors import InputError, NotFoundError, RefusedError
from phems.gateway.site.ask import ACT_DONE, Ask, address
from phems.gateway.site.findings import ShownFinding, shown_findings
from phems.gateway.site.page import Page
from phems.gateway.site.projects import trail_of
from phems.services.release_asks import AskedGroup, Case, Choice
from phems.services.release_summaries import FindingSummary

MOST_GROUPS = 10
MOST_OUTPUTS = 500
RELEASE, SHOW = "release", "show"
DEFAULT_GROUP = "default"


@dataclass(frozen=True)
class Offered:
    """An output of the run, and what is chosen to become of it."""

    output: Output
    name: str
    place: str


@dataclass(frozen=True)
class GroupFields:
    """A file group as it is typed."""

    number: int
    name: str
    context: str
    controls: str


@dataclass(frozen=True)
class Checked:
    """What the output checks found, file by file; the empty name is for the files together."""

    verdict: Verdict
    files: tuple[tuple[str, tuple[ShownFinding, ...]], ...]


def _show(ask: Ask) -> Response:
    return _page(ask, None)


def _page(ask: Ask, checked: Checked | None, *, groups: int | None = None) -> Response:
    project, run = ask.known_project(), ask.name("run")
    if not ask.may("release.request", project):
        raise RefusedError(
            f"{ask.person.name} cannot ask for releases of {project}.",
            why="Data Analysts of the project do.",
            remedy="The page of permissions says who may do what.",
        )
    outputs = _outputs(ask)
    offered = [_offered(ask, outputs, index) for index in range(len(outputs))]
    numbers = range(1, (groups or _groups(ask)) + 1)
    return ask.answer(
        "release_ask.html",
        {
            "title": "Ask for a release",
            "trail": trail_of(
                project,
                ("Runs", address("projects", project, "runs")),
                (f"Run {run[:8]}", address("projects", project, "runs", run)),
            ),
            "project": project,
            "run": run,
            "offered": offered,
            "groups": [_group_fields(ask, number) for number in numbers],
            "may_add": len(numbers) < MOST_GROUPS,
            "checked": checked,
            "policy": ask.cases.spec.policy_of(project),
            "error_field": "files",
        },
    )


def _more(ask: Ask) -> Response:
    """The form with one more file group."""
    return _page(ask, None, groups=min(_groups(ask) + 1, MOST_GROUPS))


def _check(ask: Ask) -> Response:
    """Run the output checks on what is chosen for release; nothing is asked for, and nothing is kept."""
    project = ask.known_project()
    chosen = [each.output.path for each in _chosen(ask) if each.place.startswith(f"{RELEASE}:")]
    if not chosen:
        raise InputError("No file is chosen for release.", why="the checks look at those that would leave.")
    report = ask.cases.output_checks.rehearse(ask.person, project, Choice(None, tuple(chosen)))
    return _page(ask, _checked(report, chosen))


def _request(ask: Ask) -> str:
    """Ask for the release of what is chosen."""
    project = ask.known_project()
    groups = _asked(ask)
    view = ask.cases.releases.request_groups(ask.person, project, groups)
    return address("releases", view.request.id, **{ACT_DONE: "release.request"})


def _asked(ask: Ask) -> list[AskedGroup]:
    chosen = _chosen(ask)
    groups = []
    for number in range(1, _groups(ask) + 1):
        fields = _group_fields(ask, number)
        released = _at(chosen, f"{RELEASE}:{number}")
        shown = _at(chosen, f"{SHOW}:{number}")
        if not released and not shown and not fields.context and not fields.controls:
            continue
        if not released:
            raise InputError(
                f"The file group {fields.name!r} has no file to release.",
                why="supporting files are shown with files that are to leave.",
                remedy="Choose a file for it, or empty its fields.",
            )
        groups.append(
            AskedGroup(
                Case(fields.context, fields.controls),
                Choice(None, released),
                name=fields.name,
                supporting=shown,
            )
        )
    if not groups:
        raise InputError("No file is chosen for release.", why="a request asks that outputs leave the node.")
    return groups


def _outputs(ask: Ask) -> Sequence[Output]:
    project, run = ask.known_project(), ask.name("run")
    outputs = ask.cases.outputs.list(ask.person, project, run)
    if not outputs:
        raise NotFoundError(
            f"The run {run} of {project} has no outputs here.",
            why="it has written none, or there is no such run.",
            remedy="The project's page of runs lists them.",
        )
    return outputs[:MOST_OUTPUTS]


def _chosen(ask: Ask) -> list[Offered]:
    outputs = _outputs(ask)
    return [_offered(ask, outputs, index) for index in range(len(outputs))]


def _offered(ask: Ask, outputs: Sequence[Output], index: int) -> Offered:
    output = outputs[index]
    # The path stands beside the choice: a file that the run adds meanwhile does not shift the others.
    typed = {
        ask.text(f"path-{number}"): number for number in range(MOST_OUTPUTS) if f"path-{number}" in ask.fields
    }
    if output.path in typed:
        place = ask.text(f"place-{typed[output.path]}")
    else:
        place = f"{RELEASE}:1" if len(outputs) == 1 and not ask.fields else ""
    return Offered(output, name_of(output.path), place)


def _at(chosen: Sequence[Offered], place: str) -> tuple[str, ...]:
    return tuple(each.output.path for each in chosen if each.place == place)


def _groups(ask: Ask) -> int:
    typed = ask.text("groups", "1")
    return min(int(typed), MOST_GROUPS) if typed in {str(number) for number in range(1, 100)} else 1


def _group_fields(ask: Ask, number: int) -> GroupFields:
    name = ask.text(f"name-{number}") or (DEFAULT_GROUP if number == 1 else f"group-{number}")
    return GroupFields(number, name, ask.text(f"context-{number}"), ask.text(f"controls-{number}"))


def _checked(report: CheckReport, paths: Sequence[str]) -> Checked:
    files = [(name_of(path), _shown(report, path)) for path in paths]
    together = _shown(report, None)
    return Checked(worst(report.findings), (*files, *([("", together)] if together else [])))


def _shown(report: CheckReport, path: str | None) -> tuple[ShownFinding, ...]:
    return shown_findings(
        [
            FindingSummary(each.check, each.version, each.verdict.value, each.summary, each.evidence)
            for each in report.of(path)
        ]
    )


PAGES = (
    Page(
        "/projects/{project}/runs/{run}/release",
        _show,
        {"more": _more, "check": _check, "request": _request},
    ),
)
