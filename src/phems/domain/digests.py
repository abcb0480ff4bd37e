"""Digests of code: what a code revision *is*, independent of how Git stores it.

The content digest of a tree is SHA-256 over the canonical JSON (RFC 8785) of its sorted
`[path, mode, sha256]` rows. The environment digest is the same over the lock files alone.
Digests are 64 lower-case hex characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from phems.domain.canonical import digest
from phems.domain.relative_paths import check_relative_path
from phems.errors import InputError

DIGEST = re.compile(r"[0-9a-f]{64}\Z")

FILE = "100644"
EXECUTABLE = "100755"
MODES = frozenset({FILE, EXECUTABLE})

# At the top of a Code Repo, any of these pins the project's environment: uv, PEP 751 (also by name, as in
# pylock.dev.toml), Poetry, pixi, and pip's requirements, one file or several.
LOCK_FILE = re.compile(
    r"uv\.lock|pylock(\.[^/.]+)?\.toml|poetry\.lock|pixi\.lock|requirements[^/]*\.(txt|lock)", re.ASCII
)

_TREE_REMEDY = "Remove or rename it in the Code Repo, commit, and submit the new commit."


@dataclass(frozen=True, order=True)
class TreeEntry:
    """One regular file of a code revision: its path, its mode and the SHA-256 of its bytes."""

    path: str
    mode: str
    sha256: str


def check_tree_paths(paths: Iterable[str]) -> None:
    """Raise `InputError` unless the paths can lie side by side in one folder on any file system."""
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        parts = check_relative_path(path, thing="the code revision", remedy=_TREE_REMEDY)
        if any(part.lower() == ".git" for part in parts):
            raise InputError(
                f"The path {path!r} of the code revision is refused.",
                why="a '.git' inside the tree would be taken for a repository.",
                remedy=_TREE_REMEDY,
            )
        if path in files:
            raise InputError(
                f"The code revision names {path!r} twice.",
                why="the tree object is malformed.",
                remedy="Check the Code Repo with `git fsck`.",
            )
        files.add(path)
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    clash = sorted(files & folders)
    if clash:
        raise InputError(
            f"The code revision has {clash[0]!r} both as a file and as a folder.",
            why="the tree object is malformed.",
            remedy="Check the Code Repo with `git fsck`.",
        )


def content_digest(entries: Iterable[TreeEntry]) -> str:
    """The digest that names the whole tree; raises `InputError` for a tree that cannot be named."""
    ordered = sorted(entries)
    check_tree_paths(entry.path for entry in ordered)
    for entry in ordered:
        if entry.mode not in MODES or not DIGEST.match(entry.sha256):
            raise InputError(
                f"{entry.path!r} in the code revision has mode {entry.mode!r}.",
                why="only regular files can be approved: no symbolic link, no submodule.",
                remedy=_TREE_REMEDY,
            )
    return digest([[entry.path, entry.mode, entry.sha256] for entry in ordered])


def is_lock_file(path: str) -> bool:
    """Whether a file of a tree pins the project's environment."""
    return LOCK_FILE.fullmatch(path) is not None


def environment_digest(entries: Iterable[TreeEntry]) -> str | None:
    """The digest over the tree's lock files; None when it has none."""
    locks = sorted([entry.path, entry.sha256] for entry in entries if is_lock_file(entry.path))
    return digest(locks) if locks else None
