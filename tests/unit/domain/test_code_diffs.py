"""What an approver is shown against what was approved before."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from phems.domain.approvals import Approval
from phems.domain.code_diffs import (
    LARGEST_TEXT,
    approved_at,
    file_diff,
    last_approved,
    needed_contents,
    tree_changes,
)
from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.domain.digests import EXECUTABLE, FILE, TreeEntry

NOW = datetime(2026, 11, 1, tzinfo=UTC)
S = CodeRevisionState


def revision(name: str, state: CodeRevisionState, day: int | None) -> CodeRevision:
    return CodeRevision(
        project="heart",
        commit=name * 40,
        digest=name * 64,
        environment_digest=None,
        branch="main",
        subject="x",
        authors=frozenset({"ana"}),
        submitter="ana",
        submitted_at=NOW,
        state=state,
        approvals=() if day is None else (Approval("ida", NOW + timedelta(days=day), 1),),
    )


def test_the_base_is_what_a_reviewer_has_approved_last() -> None:
    """Otherwise a diff hides what came in between, or shows what everybody knows."""
    first = revision("1", S.REPLACED, 1)
    second = revision("2", S.APPROVED, 2)
    revoked = revision("3", S.REVOKED, 3)
    rejected = revision("4", S.REJECTED, None)
    new = revision("5", S.UNDER_REVIEW, 4)
    everything = [new, rejected, revoked, second, first]
    assert last_approved(new, everything) == second
    assert last_approved(second, everything) == first
    assert last_approved(first, everything) is None
    assert approved_at(new) is None
    assert approved_at(replace(second, turn=2)) is None, "approved in an earlier turn alone"


def entry(path: str, content: bytes = b"x\n", mode: str = FILE) -> TreeEntry:
    return TreeEntry(path, mode, hashlib.sha256(content).hexdigest())


def test_files_that_came_went_moved_and_changed() -> None:
    """Otherwise an approver overlooks a file."""
    old = [entry("kept"), entry("gone", b"gone\n"), entry("from", b"moved\n"), entry("edited", b"1\n2\n")]
    new = [entry("kept"), entry("came", b"came\n"), entry("to", b"moved\n"), entry("edited", b"1\n3\n4\n")]
    contents = {
        hashlib.sha256(content).hexdigest(): content
        for content in (b"gone\n", b"came\n", b"1\n2\n", b"1\n3\n4\n")
    }
    found = tree_changes(old, new)
    assert needed_contents(found) == contents.keys()
    diffs = {diff.path: diff for diff in (file_diff(each, contents, with_lines=True) for each in found)}
    told = {path: (diff.kind, diff.added, diff.removed, diff.moved_from) for path, diff in diffs.items()}
    assert told == {
        "came": ("added", 1, 0, None),
        "gone": ("removed", 0, 1, None),
        "to": ("moved", 0, 0, "from"),
        "edited": ("changed", 2, 1, None),
    }
    assert diffs["edited"].lines == (
        "--- a/edited",
        "+++ b/edited",
        "@@ -1,2 +1,3 @@",
        " 1",
        "-2",
        "+3",
        "+4",
    )
    assert file_diff(found[0], contents).lines == ()


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xfe", b"x" * (LARGEST_TEXT + 1), None])
def test_what_is_no_text_says_that_it_was_not_compared(content: bytes | None) -> None:
    """Otherwise an approver takes an unread file for an unchanged one."""
    known = {} if content is None else {hashlib.sha256(content).hexdigest(): content}
    (change,) = tree_changes([], [entry("model.bin", content or b"?")])
    diff = file_diff(change, known)
    assert (diff.added, diff.removed) == (None, None)
    assert "not compared" in diff.notes[0]


def test_a_file_that_becomes_executable_says_so() -> None:
    """Otherwise a text turns into a program unseen."""
    (became,) = tree_changes([entry("run")], [entry("run", mode=EXECUTABLE)])
    (ceased,) = tree_changes([entry("run", mode=EXECUTABLE)], [entry("run")])
    (gone,) = tree_changes([entry("run", mode=EXECUTABLE)], [])
    assert file_diff(became, {}).notes == ("is executable now",)
    assert file_diff(ceased, {}).notes == ("is executable no more",)
    assert file_diff(gone, {hashlib.sha256(b"x\n").hexdigest(): b"x\n"}).notes == ()
