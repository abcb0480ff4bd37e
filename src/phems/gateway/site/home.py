"""My work: what waits for the person who looks, first."""

from __future__ import annotations

from starlette.responses import Response

from phems.gateway.site.ask import Ask
from phems.gateway.site.page import Page


def _show(ask: Ask) -> Response:
    return ask.answer("home.html", {"title": "My work", "projects": ask.projects()})


PAGES = (Page("/", _show),)
