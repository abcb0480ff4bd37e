"""Dagster's UI under the node's policy for browsers: what it needs works, nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from tests.functional.conftest import HEART, Hospital
from tests.functional.people import Person

PAGES = ("/runs", "/jobs", "/assets", "/automation", "/deployment", "/locations", "/integrations")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_dagster_comes_to_life(person: Callable[..., Person], path: str) -> None:
    """A policy that is too strict leaves people before a white page. Complaints fail the test at its end."""
    ana = person("ana")
    asked: list[str] = []
    ana.page.on("request", lambda request: asked.append(request.url))
    ana.open(path)
    # Not `wait_for_function`, which evaluates a text: the policy lets nobody do that.
    ana.page.get_by_role("link", name="Runs").first.wait_for()
    ana.page.wait_for_load_state("networkidle")
    hosts = {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))}
    assert hosts == {urlsplit(ana.page.url).netloc}


def test_the_page_of_a_run_shows_its_log_live(person: Callable[..., Person], hospital: Hospital) -> None:
    """The log comes by a WebSocket, which `connect-src 'self'` must let through."""
    ana = person("ana")
    sockets: list[str] = []
    ana.page.on("websocket", lambda socket: sockets.append(socket.url))
    ana.open(f"/runs/{hospital.analysis}")
    ana.page.get_by_text("RUN_SUCCESS").first.wait_for()
    assert sockets
    assert HEART in ana.page.content()
