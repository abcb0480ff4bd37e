"""How `phems code` prints a diff. Its text comes from project code: control characters, and those that turn
the direction of text, are shown as escapes, so that what an approver reads is what stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phems.cli import output

if TYPE_CHECKING:
    from phems.domain.code_diffs import CodeDiff, FileDiff

_DEPENDENCIES = ["name", "kind", "before", "after", "file"]


def show(diff: CodeDiff) -> None:
    """The diff for people; nothing with --json."""
    if diff.base is None:
        output.say("No code revision was approved before: all of it is new.")
    else:
        output.say(f"Changes since {diff.base[:12]} ({diff.base_state}):")
    _show_dependencies(diff)
    counted = [file for file in diff.files if file.added is not None]
    added, removed = (sum(getattr(file, side) for file in counted) for side in ("added", "removed"))
    output.say(f"\nFiles: {len(diff.files)} changed, {added} lines added, {removed} removed")
    if diff.files:
        output.show_rows([_row(file) for file in diff.files], ["file", "kind", "lines", "notes"])
    for file in diff.files:
        if file.lines:
            output.say("")
        for line in file.lines:
            output.say(line.expandtabs(4))


def _show_dependencies(diff: CodeDiff) -> None:
    for path in diff.unread_locks:
        output.warn(f"the lock file {path} changed and cannot be read: compare it yourself")
    if diff.dependencies:
        output.say("\nDependencies:")
        output.show_rows(list(diff.dependencies), _DEPENDENCIES)
    elif not diff.unread_locks:
        output.say("\nDependencies: no change")


def _row(file: FileDiff) -> dict[str, object]:
    name = file.path if file.moved_from is None else f"{file.moved_from} -> {file.path}"
    lines = "" if file.added is None else f"+{file.added} -{file.removed}"
    return {"file": name, "kind": file.kind, "lines": lines, "notes": list(file.notes)}
