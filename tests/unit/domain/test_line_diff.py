"""What an approver is shown as changed is what changed."""

from __future__ import annotations

import difflib
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.line_diff import Edit, line_edits, lines_of, unified

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n"]), max_size=14)


def applied(old: list[str], new: list[str], edits: list[Edit]) -> list[str]:
    """`old` with the edits done, from the last to the first."""
    result = list(old)
    for edit in reversed(edits):
        result[edit.old_from : edit.old_to] = new[edit.new_from : edit.new_to]
    return result


def longest_common(old: list[str], new: list[str]) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    row = [0] * (len(new) + 1)
    for line in old:
        before = list(row)
        for index, other in enumerate(new):
            row[index + 1] = before[index] + 1 if line == other else max(before[index + 1], row[index])
    return row[-1]


@given(LINES, LINES)
def test_the_edits_lead_from_one_to_the_other_and_are_as_few_as_can_be(
    old: list[str], new: list[str]
) -> None:
    """Otherwise an approver overlooks a change, or reads more than there is."""
    edits = line_edits(old, new)
    assert applied(old, new, edits) == new
    removed = sum(edit.old_to - edit.old_from for edit in edits)
    assert removed == len(old) - longest_common(old, new)
    assert all(edit.old_from <= edit.old_to and edit.new_from <= edit.new_to for edit in edits)


@given(LINES, LINES)
def test_without_budget_the_middle_is_written_anew_and_nothing_is_lost(
    old: list[str], new: list[str]
) -> None:
    """Otherwise a text made to be slow hides its change."""
    edits = line_edits(old, new, budget=1)
    assert applied(old, new, edits) == new


def test_a_text_made_to_be_slow_is_compared_at_once() -> None:
    """Otherwise a submitted file keeps the control plane busy for hours."""
    old = [f"{index % 97}\n" for index in range(40_000)]
    new = [f"{index % 89}\n" for index in range(40_000)]
    began = time.process_time()
    edits = line_edits(old, new)
    assert applied(old, new, edits) == new
    assert time.process_time() - began < 10


@given(st.text(alphabet="ab\n\r\x0b\u2028", max_size=20))
def test_lines_end_at_newlines_alone_and_nothing_is_lost(text: str) -> None:
    """Otherwise a line separator of another script hides a line from the count."""
    assert "".join(lines_of(text)) == text
    assert len(lines_of(text)) == text.count("\n") + (not text.endswith("\n") and text != "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "a\nb\n"),
        ("a\nb\n", ""),
        ("a\nb\nc", "a\nb\nc\n"),
        ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\nx\n5\n6\n7\n8\n9\n"),
        ("".join(f"{n}\n" for n in range(40)), "".join(f"{n}\n" for n in range(40) if n not in (3, 30))),
        ("".join(f"{n}\n" for n in range(20)), "x\n" + "".join(f"{n}\n" for n in range(20)) + "y"),
    ],
)
def test_the_unified_form_is_what_patch_takes(old: str, new: str, tmp_path: Path) -> None:
    """Otherwise what is shown is a form of our own that no tool can check."""
    before, after = lines_of(old), lines_of(new)
    shown = "\n".join(unified("f", before, after, line_edits(before, after))) + "\n"
    (tmp_path / "f").write_text(old)
    subprocess.run(["git", "apply", "--unidiff-zero", "-"], cwd=tmp_path, input=shown, text=True, check=True)
    left = (tmp_path / "f").read_text() if (tmp_path / "f").exists() else ""
    assert left == new
    theirs = [line for line in difflib.unified_diff(before, after, "a/f", "b/f") if line.startswith("@@")]
    ours = [line for line in shown.splitlines() if line.startswith("@@")]
    assert len(ours) == len(theirs)


def test_texts_that_are_the_same_have_no_edits() -> None:
    """Otherwise unchanged files are shown as changed."""
    assert line_edits(["a\n"], ["a\n"]) == []
    assert list(unified("f", ["a\n"], ["a\n"], [])) == ["--- a/f", "+++ b/f"]
