"""What a code revision changes against the last approved one, for who is to approve it.

Both trees are read from the Code Repo and hashed: a diff is only shown between what was submitted and what
was approved, or a person would approve other bytes than those they were shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

from phems.domain.actors import Actor
from phems.domain.code_diffs import (
    LARGEST_TEXT,
    CodeDiff,
    TreeChange,
    file_diff,
    last_approved,
    needed_contents,
    tree_changes,
)
from phems.domain.code_revisions import CodeRevision
from phems.domain.digests import TreeEntry, content_digest, is_lock_file
from phems.domain.lock_files import LARGEST as LARGEST_LOCK
from phems.domain.lock_files import DependencyChange, changes, read_pins
from phems.errors import IntegrityError
from phems.services.code_revisions import one_revision
from phems.services.ports import Governance
from phems.services.ports.code_repos import CodeRepos
from phems.services.project_access import ProjectAccess, ProjectRules

# Of all that changed, no more than this is held in memory; what is left is told by its hash.
MOST_TEXT = 64 * 1024 * 1024


class CodeDiffs:
    """The use case."""

    def __init__(self, governance: Governance, repos: CodeRepos, access: ProjectAccess) -> None:
        self._governance = governance
        self._repos = repos
        self._access = access

    def diff(
        self,
        actor: Actor,
        project: str,
        commit: str,
        *,
        against: str | None = None,
        with_lines: bool = False,
        paths: Collection[str] = (),
    ) -> CodeDiff:
        """The diff of a code revision against another, by default the last approved before it.

        `with_lines` adds the unified diff of each file, or of those at `paths` alone.
        """
        rules = self._access.check(actor, "code.list", project)
        with self._governance.transaction() as work:
            revision = one_revision(work, project, commit)
            base = (
                last_approved(revision, work.code_revisions.of_project(project))
                if against is None
                else one_revision(work, project, against)
            )
        old = self._tree(rules, base) if base is not None else []
        found = tree_changes(old, self._tree(rules, revision))
        contents = self._contents(rules, [each for each in (base, revision) if each is not None], found)
        dependencies, unread = _dependencies(found, contents)
        return CodeDiff(
            project=project,
            commit=revision.commit,
            base=base.commit if base else None,
            base_state=base.state.value if base else None,
            files=tuple(
                file_diff(change, contents, with_lines=with_lines and (not paths or change.path in paths))
                for change in found
            ),
            dependencies=dependencies,
            unread_locks=unread,
        )

    def _tree(self, rules: ProjectRules, revision: CodeRevision) -> list[TreeEntry]:
        self._repos.refresh(rules.repo, wanted=revision.commit)
        with self._repos.files(rules.repo, revision.commit) as files:
            tree = [TreeEntry(file.path, file.mode, _sha256(file.content)) for file in files]
        if content_digest(tree) != revision.digest:
            raise IntegrityError(
                f"The code revision {revision.name} is not what was submitted.",
                why="the Code Repo holds other bytes under this commit now.",
                remedy=f"Find out who changed {rules.repo}, and check it with: git fsck",
            )
        return tree

    def _contents(
        self, rules: ProjectRules, revisions: list[CodeRevision], found: list[TreeChange]
    ) -> dict[str, bytes]:
        """The bytes of what changed, by their SHA-256, which is how they are known to be those hashed."""
        wanted = needed_contents(found)
        contents: dict[str, bytes] = {}
        room = MOST_TEXT
        for content in (each for revision in revisions for each in self._files(rules, revision)):
            largest = max(LARGEST_TEXT, LARGEST_LOCK)
            if len(content) > min(room, largest):
                continue
            digest = _sha256(content)
            if digest in wanted and digest not in contents:
                contents[digest] = content
                room -= len(content)
        return contents

    def _files(self, rules: ProjectRules, revision: CodeRevision) -> Iterator[bytes]:
        with self._repos.files(rules.repo, revision.commit) as files:
            for file in files:
                yield file.content


def _dependencies(
    found: list[TreeChange], contents: dict[str, bytes]
) -> tuple[tuple[DependencyChange, ...], tuple[str, ...]]:
    """The changes of every lock file that differs, and the lock files that cannot be read."""
    told: list[DependencyChange] = []
    unread: list[str] = []
    for change in found:
        locks = [entry for entry in (change.old, change.new) if entry and is_lock_file(entry.path)]
        if not locks or (change.is_same_content and len(locks) > 1):
            continue
        sides = []
        for entry in (change.old, change.new):
            is_lock = entry is not None and is_lock_file(entry.path)
            content = contents.get(entry.sha256) if entry and is_lock else b""
            sides.append(read_pins(locks[-1].path, content) if content is not None else None)
        if sides[0] is None or sides[1] is None:
            unread.append(change.path)
        else:
            told += changes(sides[0], sides[1], file=change.path)
    return tuple(told), tuple(unread)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
