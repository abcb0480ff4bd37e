"""What people see of one project's code changes with that project alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.nodes import RunningNode


def test_what_is_shown_of_other_projects_stays(node: RunningNode) -> None:
    """Otherwise each project that is approved costs a look at all, one of which may be at older code."""
    workspace = node.serving.control.workspace
    before = workspace.get_current_workspace().code_location_entries
    workspace.take_in("narrow")
    after = workspace.get_current_workspace().code_location_entries
    assert list(after) == list(before)
    assert after["shapes"] is before["shapes"]
    assert after["narrow"] is not before["narrow"]
    assert after["narrow"].code_location is not None


def test_a_project_without_a_host_is_not_shown(node: RunningNode) -> None:
    """Otherwise people launch what an owner has taken back."""
    workspace = node.serving.control.workspace
    before = workspace.get_current_workspace().code_location_entries
    workspace.take_in("nowhere")
    assert workspace.get_current_workspace().code_location_entries == before
    assert workspace.has_taken_in("nowhere", "")


def test_who_presses_reload_waits_for_a_look_that_is_under_way(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an older look is shown after a newer one, and people launch definitions of old code."""
    workspace = node.serving.control.workspace
    load, alone, looks = workspace._load_location, threading.Lock(), 0

    def looking(*asked: Any, **how: Any) -> Any:
        nonlocal looks
        assert alone.acquire(blocking=False), "two looks at once"
        try:
            looks += 1
            return load(*asked, **how)
        finally:
            alone.release()

    monkeypatch.setattr(workspace, "_load_location", looking)
    with ThreadPoolExecutor(4) as pool:
        pressed = [pool.submit(workspace.reload_code_location, "narrow") for _ in range(4)]
        for press in pressed:
            press.result(60)
    assert looks == 4
    assert workspace.get_current_workspace().code_location_entries["narrow"].code_location is not None


def test_reloading_all_shows_all(node: RunningNode) -> None:
    """Otherwise an operator who reloads takes away what was approved meanwhile."""
    workspace = node.serving.control.workspace
    before = workspace.get_current_workspace().code_location_entries
    workspace.reload_workspace()
    after = workspace.get_current_workspace().code_location_entries
    assert list(after) == list(before)
    assert all(after[name] is not before[name] for name in before)
