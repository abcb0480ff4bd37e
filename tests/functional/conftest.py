"""A hospital with a story behind it, served for real; people who look at it in Chromium."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.functional.people import PASSWORD, Person, chromium, sign_in

from phems.cli.demo_node import PEOPLE, DemoNode

HERE = Path(__file__).parent
HEART, BREAST = "heart-attack", "breast-cancer"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this folder starts a node and a browser."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.functional)


@dataclass
class Hospital:
    """The node, and what has happened on it: code approved in both projects, a run of each finished."""

    node: DemoNode
    analysis: str
    bootstrap: str
    commit: str
    """The approved code of the project that has the analysis."""

    def act(self, who: str, *words: str) -> Any:
        """Type a command as a person."""
        code, said = self.node.act(who, *words)
        assert code == 0, said
        return said


@pytest.fixture(scope="package")
def hospital() -> Iterator[Hospital]:
    """The example hospital with approved code and a finished run in each project."""
    with tempfile.TemporaryDirectory(prefix="phems-") as folder:
        node = DemoNode(Path(folder) / "demo")
        node.make()
        try:
            node.start(lambda _line: None)
            yield _with_a_story(node)
        finally:
            node.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, closed with its module: while its driver lives, no other test can run an event loop."""
    with chromium() as started:
        yield started


@pytest.fixture
def person(hospital: Hospital, browser: Browser) -> Iterator[Callable[..., Person]]:
    """Signs people in; at the end nobody's browser may have complained (an error, a policy broken)."""
    people: list[Person] = []

    def come(name: str, **options: object) -> Person:
        people.append(sign_in(browser, hospital.node.url, name, **options))
        return people[-1]

    yield come
    complaints = [complaint for each in people for complaint in each.complaints]
    for each in people:
        each.context.close()
    assert complaints == []


def _wait_for_hosts(node: DemoNode) -> None:
    """Until both projects' code is loaded."""
    deadline = time.monotonic() + 120
    states: list[str] = []
    while states != ["READY", "READY"]:
        assert time.monotonic() < deadline, node.status()
        threading.Event().wait(0.1)
        states = [host["state"] for host in (node.status() or {}).get("hosts", ())]


def _with_a_story(node: DemoNode) -> Hospital:
    def act(who: str, *words: str, typed: str = "") -> Any:
        code, said = node.act(who, *words, typed=typed)
        assert code == 0, said
        return said

    for name in PEOPLE:
        act("operator", "user", "add", name, "--password-stdin", typed=PASSWORD)
        node.tokens[name] = act("operator", "user", "token", name)["token"]
    commits = {}
    for author, owner, project in (("ana", "wei", HEART), ("ben", "ingrid", BREAST)):
        commits[project] = act(author, "code", "submit", "--project", project)["commit"]
        act(owner, "code", "approve", "--project", project, commits[project])
    _wait_for_hosts(node)
    runs = [
        act(who, "run", "launch", project, job)
        for who, project, job in (("ana", HEART, "analysis"), ("ben", BREAST, "bootstrap_hormone_effect"))
    ]
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS"], runs
    return Hospital(node, *(run["id"] for run in runs), commits[HEART])
