"""`phems status --wait`: a script goes on when the node can do what it asks for next, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phems.cli import node_loading
from phems.cli.node_loading import refuse_failed, when_loaded
from phems.errors import UnavailableError


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_loading, "LOOK_AGAIN_SECONDS", 0.0)


def host(project: str, state: str, error: str = "", *, is_current: bool = True) -> dict[str, Any]:
    return {"project": project, "state": state, "error": error, "is_current": is_current}


def status(*hosts: dict[str, Any]) -> dict[str, Any]:
    return {"hosts": list(hosts)}


def saying(*answers: dict[str, Any] | None) -> Callable[[], dict[str, Any]]:
    """A node that says one after the other, and None as long as it does not run."""
    left: Iterator[dict[str, Any] | None] = iter(answers)

    def say() -> dict[str, Any]:
        found = next(left)
        if found is None:
            raise UnavailableError("The node does not run.", why="Nothing serves it.", remedy="phems serve")
        return found

    return say


def test_it_waits_for_the_node_and_then_for_the_code_of_each_project() -> None:
    """A job that is launched before its code has loaded is told that no such job exists."""
    last = status(host("heart", "READY"), host("genes", "FAILED"))
    node = saying(None, None, status(host("heart", "READY"), host("genes", "LOADING")), last)
    assert when_loaded(node, None, within=60) is last


def test_a_project_that_was_just_approved_is_waited_for_before_it_is_known() -> None:
    """Between the approval and the node's first word of it lies a moment in which all else is ready."""
    last = status(host("heart", "LOADING"), host("genes", "READY"))
    node = saying(status(host("heart", "READY")), last)
    assert when_loaded(node, "genes", within=60) is last


def test_code_of_before_does_not_hold_it_up() -> None:
    """An old host lives on until its last step has ended."""
    only = status(host("heart", "READY"), host("heart", "LOADING", is_current=False))
    assert when_loaded(saying(only), None, within=60) is only


def test_a_node_without_code_has_nothing_to_wait_for() -> None:
    assert when_loaded(saying(status()), None, within=60) == status()


def test_it_gives_up_and_says_for_what_it_waited() -> None:
    """A script that hangs tells nobody anything."""
    with pytest.raises(UnavailableError, match="code of genes has not loaded within 0 seconds"):
        when_loaded(saying(status(host("heart", "READY"), host("genes", "RESTARTING"))), None, within=0)
    with pytest.raises(UnavailableError, match="does not run"):
        when_loaded(saying(None), None, within=0)


def test_code_that_does_not_load_ends_the_script_with_the_reason() -> None:
    """Otherwise the next command fails, and about something else."""
    found = status(host("heart", "READY"), host("genes", "FAILED", "Traceback\nImportError: no polars\n"))
    with pytest.raises(UnavailableError, match="genes") as refused:
        refuse_failed(found, None)
    assert "ImportError: no polars" in str(refused.value)
    refuse_failed(found, "heart")
    with pytest.raises(UnavailableError, match="says nothing"):
        refuse_failed(status(host("genes", "FAILED")), "genes")
