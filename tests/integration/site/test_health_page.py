"""Node health in a browser: operators see what is wrong before all else, and nobody but they sees it."""

from __future__ import annotations

import json
import os

import pytest
from tests.integration.site.browsed_site import BrowsedSite


@pytest.mark.parametrize("who", ["ana", "omar", "iris", "aud", "nobody"])
def test_health_is_for_operators(site: BrowsedSite, who: str) -> None:
    """Errors of project code stand there, of every project."""
    assert site.browser(who).get("/health").status_code == 403


def test_a_node_that_does_not_run_is_the_first_thing_told(site: BrowsedSite) -> None:
    words = site.browser("olga").words("/health")
    assert "What to look at The node does not run" in words
    assert "Postgres Version" in words


def test_code_that_does_not_load_shows_its_error_inert(site: BrowsedSite) -> None:
    """It is text of project code: it must not act as the operator who reads it."""
    host = {
        "project": "heart-attack",
        "code_digest": "sha256:12345678901234",
        "state": "FAILED",
        "is_current": True,
        "pid": None,
        "restarts": 2,
        "running_steps": 0,
        "load_seconds": None,
        "error": "ImportError: <img src=x onerror=alert(1)>\u202e",
    }
    worker = {"id": "w-1", "pool": "large", "project": "heart-attack", "host": "ward-pc", "pid": 8}
    worker |= {"concurrency": 4, "running": 3}
    role = {"name": "publisher", "pid": 7, "is_running": False, "error": "its thread has ended."}
    site.node.paths.status.write_text(
        json.dumps(
            {
                "pid": os.getpid(),
                "url": "http://127.0.0.1:3000",
                "sandbox": "NO SANDBOX: bubblewrap is missing",
                "is_isolating": False,
                "roles": [role],
                "hosts": [host],
                "queues": {"heart-attack": {"waiting": 12, "running": 3}},
                "lag": {"heart-attack": 7.4},
                "workers": [worker],
                "runs": 1,
                "warnings": [],
            }
        ),
        encoding="utf-8",
    )
    browser = site.browser("olga")
    page = browser.get("/health").text
    assert "<img" not in page
    assert "ImportError: &lt;img src=x onerror=alert(1)&gt;[U+202E]" in page
    words = browser.words("/health")
    for told in (
        "The publisher does not run: its thread has ended.",
        "NO SANDBOX: bubblewrap is missing.",
        "The code of heart-attack does not run: see its error.",
        "started again 2 times",
        "heart-attack 12 3 7 s",
        "w-1 large heart-attack ward-pc 8 3 4",
    ):
        assert told in words
