"""How two code revisions differ: files added, removed, moved and changed, and what became of dependencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from phems.domain.code_revisions import CodeRevision, CodeRevisionState
from phems.domain.digests import EXECUTABLE, TreeEntry
from phems.domain.line_diff import line_edits, lines_of, unified
from phems.domain.lock_files import DependencyChange

ChangeKind = Literal["added", "removed", "moved", "changed"]

# Larger files, and files that are no text, are told by their hashes alone.
LARGEST_TEXT = 1024 * 1024


@dataclass(frozen=True)
class TreeChange:
    """One path at which two trees differ; `old` or `new` is None where a file is not there."""

    path: str
    old: TreeEntry | None
    new: TreeEntry | None

    @property
    def kind(self) -> ChangeKind:
        """What happened to the file."""
        if self.old is None or self.new is None:
            return "removed" if self.new is None else "added"
        return "changed" if self.old.path == self.new.path else "moved"

    @property
    def is_same_content(self) -> bool:
        """Whether only the path or the mode differs."""
        return self.old is not None and self.new is not None and self.old.sha256 == self.new.sha256


@dataclass(frozen=True)
class FileDiff:
    """A file that differs. Line counts are None for a file that is no text, or too large to compare."""

    path: str
    kind: ChangeKind
    added: int | None
    removed: int | None
    moved_from: str | None = None
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = field(default=(), repr=False)
    """The unified diff, when it was asked for; text of the project, not to be obeyed by a terminal."""


@dataclass(frozen=True)
class CodeDiff:
    """What a code revision changes against another; `base` is None when it is the first."""

    project: str
    commit: str
    base: str | None
    base_state: str | None
    files: tuple[FileDiff, ...]
    dependencies: tuple[DependencyChange, ...]
    unread_locks: tuple[str, ...] = ()
    """Lock files that changed and could not be read: their own diff is all there is."""


def last_approved(revision: CodeRevision, others: Iterable[CodeRevision]) -> CodeRevision | None:
    """What a reviewer knows already: the last one approved before this one, and not revoked since."""
    own = approved_at(revision)
    earlier = [
        (at, other)
        for other in others
        if other.commit != revision.commit
        and other.state in {CodeRevisionState.APPROVED, CodeRevisionState.REPLACED}
        and (at := approved_at(other)) is not None
        and (own is None or at < own)
    ]
    return max(earlier, key=lambda pair: pair[0])[1] if earlier else None


def approved_at(revision: CodeRevision) -> datetime | None:
    """When it was approved in its present turn; None when it has not been."""
    decided = {CodeRevisionState.APPROVED, CodeRevisionState.REPLACED, CodeRevisionState.REVOKED}
    moments = [approval.at for approval in revision.present_approvals()]
    return max(moments) if moments and revision.state in decided else None


def tree_changes(old: Iterable[TreeEntry], new: Iterable[TreeEntry]) -> list[TreeChange]:
    """Where two trees differ, by path. A file that only has another path counts as moved."""
    before = {entry.path: entry for entry in old}
    after = {entry.path: entry for entry in new}
    gone = {path: entry for path, entry in before.items() if path not in after}
    by_content = {entry.sha256: entry for entry in sorted(gone.values(), reverse=True)}
    changes = []
    for path, entry in after.items():
        known = before.get(path)
        if known is None:
            source = by_content.pop(entry.sha256, None)
            if source is not None:
                del gone[source.path]
            changes.append(TreeChange(path, source, entry))
        elif known != entry:
            changes.append(TreeChange(path, known, entry))
    changes += [TreeChange(path, entry, None) for path, entry in gone.items()]
    return sorted(changes, key=lambda change: change.path)


def file_diff(change: TreeChange, contents: Mapping[str, bytes], *, with_lines: bool = False) -> FileDiff:
    """A change with its line counts. `contents` has the files' bytes by SHA-256, where they are at hand."""
    moved_from = change.old.path if change.kind == "moved" and change.old else None
    if change.is_same_content:
        return FileDiff(change.path, change.kind, 0, 0, moved_from, _mode_notes(change))
    texts = [_text(entry, contents) for entry in (change.old, change.new)]
    if texts[0] is None or texts[1] is None:
        notes = (*_mode_notes(change), "not compared: no text, or too large")
        return FileDiff(change.path, change.kind, None, None, moved_from, notes)
    old, new = lines_of(texts[0]), lines_of(texts[1])
    edits = line_edits(old, new)
    return FileDiff(
        change.path,
        change.kind,
        sum(edit.new_to - edit.new_from for edit in edits),
        sum(edit.old_to - edit.old_from for edit in edits),
        moved_from,
        _mode_notes(change),
        tuple(unified(change.path, old, new, edits)) if with_lines and edits else (),
    )


def needed_contents(changes: Sequence[TreeChange]) -> frozenset[str]:
    """The SHA-256 of every file whose bytes a comparison needs."""
    return frozenset(
        entry.sha256
        for change in changes
        for entry in (change.old, change.new)
        if entry is not None and not change.is_same_content
    )


def _text(entry: TreeEntry | None, contents: Mapping[str, bytes]) -> str | None:
    if entry is None:
        return ""
    content = contents.get(entry.sha256)
    if content is None or len(content) > LARGEST_TEXT or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _mode_notes(change: TreeChange) -> tuple[str, ...]:
    old, new = (entry is not None and entry.mode == EXECUTABLE for entry in (change.old, change.new))
    if old == new or change.new is None:
        return ()
    return ("is executable now",) if new else ("is executable no more",)
