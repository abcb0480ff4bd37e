"""Code Repos as the use cases see them: one commit, read without running anything of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from phems.nodespec import RemoteRepo


@dataclass(frozen=True)
class Commit:
    """A commit that is reachable from the branch it was asked on. `commit` is its full name."""

    commit: str
    subject: str
    author_name: str
    author_email: str


@dataclass(frozen=True)
class TreeFile:
    """One regular file of a commit's tree. `mode` is as in `phems.domain.digests`."""

    path: str
    mode: str
    content: bytes


class CodeRepos(Protocol):
    """Reads Code Repos. `repo` is a folder, or a branch of a repo on another machine.

    All methods only read. All raise `InputError` for a repo, branch or commit that does not exist,
    `RefusedError` for a commit that is not reachable from the branch, and `UnavailableError` when Git
    is missing or does not answer.
    """

    def refresh(self, repo: Path | RemoteRepo, *, wanted: str | None = None) -> None:
        """Fetch the branch of a repo on another machine, which the other methods read as it was fetched last.

        Not when the commit `wanted` (full name) is here already. Takes up to minutes: never in a transaction.
        """
        ...

    def commit(self, repo: Path | RemoteRepo, branch: str, commit: str | None) -> Commit:
        """The commit by a unique prefix of its name; None means the tip of the branch."""
        ...

    def files(self, repo: Path | RemoteRepo, commit: str) -> AbstractContextManager[Iterator[TreeFile]]:
        """The files of a commit (full name), in the order of the tree, one in memory at a time.

        Raises `InputError` for symbolic links, submodules and paths that climb, and past the limits on
        the number and size of files.
        """
        ...


class CodeMount(Protocol):
    """Where approved code revisions lie for project hosts: one read-only folder per content digest."""

    def publish(self, project: str, digest: str, files: Iterator[TreeFile]) -> Path:
        """Write the tree and verify it against `digest`; whole or not at all. Idempotent.

        Raises `IntegrityError` when the files are not those that `digest` names, `UnavailableError`
        when the folder cannot be written.
        """
        ...

    def current(self, project: str) -> str | None:
        """The content digest that the project's pointer names; None when there is none."""
        ...

    def point(self, project: str, digest: str | None) -> None:
        """Move the pointer, at once for whoever reads it; None takes it away."""
        ...

    def keep_only(self, project: str, digests: frozenset[str], *, dry_run: bool = False) -> list[str]:
        """Remove the trees of all other digests; gives their digests. With `dry_run` nothing is removed."""
        ...

    def path(self, project: str, digest: str) -> Path:
        """Where the tree of `digest` lies or would lie."""
        ...

    def verify(self, project: str, digest: str) -> None:
        """Raise `IntegrityError` unless exactly the tree that `digest` names lies there."""
        ...
