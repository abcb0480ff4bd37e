"""My work: what waits for the person who looks, first; then what of theirs is on its way."""

from __future__ import annotations

from starlette.responses import Response

from phems.gateway.site.ask import Ask
from phems.gateway.site.page import Page
from phems.gateway.site.task_words import task_line, underway_line


def _show(ask: Ask) -> Response:
    work = ask.cases.my_work.of(ask.person)
    return ask.answer(
        "home.html",
        {
            "title": "My work",
            "tasks": [task_line(task) for task in work.tasks],
            "underway": [underway_line(thing) for thing in work.underway],
            "failed_runs": work.failed_runs,
            "projects": ask.projects(),
        },
    )


PAGES = (Page("/", _show),)
