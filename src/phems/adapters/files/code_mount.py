"""The Code Mount as a folder: `<root>/<project>/<content digest>/`, read-only files: port `CodeMount`.

`<root>/<project>/current` is a link to the digest that was approved when `phems code sync` ran last.
A tree is written beside its place, hashed again from the disk, and put in place by one rename, so
that what lies under a digest is always the whole tree that the digest names.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from phems.adapters.durable_files import sync_folder
from phems.adapters.files.disk import disk_errors, remove_tree, sync_folders, write_file
from phems.domain.digests import DIGEST, EXECUTABLE, FILE, TreeEntry, check_tree_paths, content_digest
from phems.errors import InputError, IntegrityError
from phems.services.ports.code_repos import TreeFile

POINTER = "current"
_ON_DISK = {FILE: 0o444, EXECUTABLE: 0o555}


class FolderCodeMount:
    """Publishes and verifies trees below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, project: str, digest: str) -> Path:
        """See the port."""
        if not DIGEST.match(digest):
            raise InputError(f"{digest!r} is not a content digest.", why="it has 64 hexadecimal characters.")
        return self._root / project / digest

    def publish(self, project: str, digest: str, files: Iterator[TreeFile]) -> Path:
        """See the port."""
        place = self.path(project, digest)
        if place.exists():
            self.verify(project, digest)
            return place
        with disk_errors("The code revision could not be written", self._root):
            place.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(mkdtemp(prefix=f".tmp-{digest[:12]}-", dir=place.parent))
            try:
                staging.chmod(0o755)
                for file in files:
                    check_tree_paths([file.path])
                    write_file(staging / file.path, [file.content], _ON_DISK[file.mode])
                _check(staging, digest)
                sync_folders(staging)
                _rename(staging, place)
                sync_folder(place.parent)
            finally:
                remove_tree(staging)
        return place

    def current(self, project: str) -> str | None:
        """See the port."""
        pointer = self._root / project / POINTER
        return pointer.readlink().name if pointer.is_symlink() else None

    def point(self, project: str, digest: str | None) -> None:
        """See the port."""
        pointer = self._root / project / POINTER
        with disk_errors("The pointer of the Code Mount could not be moved", self._root):
            if digest is None:
                pointer.unlink(missing_ok=True)
                return
            fresh = pointer.with_name(f".{POINTER}.{secrets.token_hex(8)}")
            fresh.symlink_to(self.path(project, digest).name)
            fresh.rename(pointer)
            sync_folder(pointer.parent)

    def keep_only(self, project: str, digests: frozenset[str], *, dry_run: bool = False) -> list[str]:
        """See the port."""
        folder = self._root / project
        with disk_errors("A code revision could not be removed", self._root):
            there = sorted(place.name for place in folder.iterdir()) if folder.is_dir() else []
            gone = [name for name in there if DIGEST.match(name) and name not in digests]
            for name in () if dry_run else gone:
                # Out of the way first: half a tree must not lie under its digest.
                leaving = folder / f".gone-{name[:12]}-{secrets.token_hex(4)}"
                (folder / name).rename(leaving)
                remove_tree(leaving)
        return gone

    def verify(self, project: str, digest: str) -> None:
        """See the port."""
        place = self.path(project, digest)
        if not place.is_dir():
            raise IntegrityError(
                f"The code revision {digest[:12]} of {project} is not in the Code Mount.",
                why=f"{place} does not exist.",
                remedy=f"Submit and approve it again: phems code submit --project {project}",
            )
        _check(place, digest)


def _rename(staging: Path, place: Path) -> None:
    try:
        staging.rename(place)
    except OSError:
        # Someone else has published the same tree meanwhile: theirs is as good if it verifies.
        if not place.is_dir():
            raise
        _check(place, place.name)


def _check(folder: Path, digest: str) -> None:
    found = content_digest(_entries(folder, folder))
    if found != digest:
        raise IntegrityError(
            f"The code in {folder} is not what was approved.",
            why=f"its content digest is {found}; approved is {digest}.",
            remedy=f"Find out who changed it. Then remove {folder} and submit the code revision again.",
        )


def _entries(folder: Path, top: Path) -> Iterator[TreeEntry]:
    """The files as they lie on the disk; anything but files and folders is no part of an approved tree."""
    for item in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(item.path)
        status = item.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            yield from _entries(path, top)
        elif stat.S_ISREG(status.st_mode):
            mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE
            with path.open("rb") as file:
                yield TreeEntry(
                    str(path.relative_to(top)), mode, hashlib.file_digest(file, "sha256").hexdigest()
                )
        else:
            raise IntegrityError(
                f"{path} in the Code Mount is neither a file nor a folder.",
                why="an approved tree has regular files alone.",
                remedy=f"Find out who changed it. Then remove {top} and submit the code revision again.",
            )
