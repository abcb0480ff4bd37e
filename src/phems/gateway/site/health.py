"""Node health, for operators: what to look at first, then every part by itself."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from phems.gateway.site.ask import Ask
from phems.gateway.site.page import Page


def _show(ask: Ask) -> Response:
    ask.check("node.operate")
    health = ask.cases.health.now()
    hosts = (
        sorted(health.running.hosts, key=lambda host: (host.project, not host.is_current))
        if (health.running)
        else []
    )
    return ask.answer("health.html", {"title": "Node health", "health": health, "hosts": hosts})


PAGES: Sequence[Page] = (Page("/health", _show),)
