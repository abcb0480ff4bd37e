"""What people see of one project's code changes with that project alone."""

from __future__ import annotations

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
