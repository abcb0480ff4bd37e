"""Copying folders that others write to, each file with its SHA-256: no link is followed out of them."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from phems.domain.backups import BackedFile, BackedFolder, BackedLink

CHUNK = 1024 * 1024
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class Copied:
    """What was copied so far, by its paths in the backup."""

    files: list[BackedFile] = field(default_factory=list)
    links: list[BackedLink] = field(default_factory=list)
    folders: list[BackedFolder] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def copy_tree(
    source: Path,
    backup: Path,
    area: str,
    copied: Copied,
    *,
    without: Collection[str] = (),
    told: Callable[[int], None] = lambda _files: None,
) -> None:
    """Copy `source` to `area` of the backup, but what lies in it under the paths `without`.

    What vanishes while it is copied is left out: nothing that the database names is ever removed.
    """
    if not source.is_dir():
        return
    for top, folders, names, descriptor in os.fwalk(source, follow_symlinks=False):
        below = os.path.relpath(top, source)
        start = "" if below == "." else f"{below}/"
        target = backup / area / below
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders[:] = [name for name in folders if f"{start}{name}" not in without]
        copied.folders += _modes(descriptor, folders, f"{area}/{start}")
        # Links to folders stand among the folders; they are not walked into.
        linked = [name for name in folders if _is_link(name, descriptor)]
        for name in [*linked, *(name for name in names if f"{start}{name}" not in without)]:
            try:
                _copy(name, descriptor, target / name, f"{area}/{start}{name}", copied)
            except FileNotFoundError:
                continue
            told(len(copied.files))


def copy_file(source: Path, backup: Path, path: str, copied: Copied) -> None:
    """Copy one file."""
    (backup / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(source.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _copy(source.name, folder, backup / path, path, copied)
    finally:
        os.close(folder)


def poured(source: IO[bytes], sink: IO[bytes], most: int = sys.maxsize) -> tuple[int, str]:
    """Copy what is left of `source`, or the first `most` bytes of it; how many, and their SHA-256."""
    hasher, size = hashlib.sha256(), 0
    while chunk := source.read(min(CHUNK, most - size)):
        hasher.update(chunk)
        sink.write(chunk)
        size += len(chunk)
    return size, hasher.hexdigest()


def hashed(folder: Path, told: Callable[[int], None] = lambda _files: None) -> Mapping[str, tuple[int, str]]:
    """Size and SHA-256 of every regular file below a folder, by path. Links are no files."""
    found: dict[str, tuple[int, str]] = {}
    for top, _, names in os.walk(folder):
        for name in names:
            place = Path(top) / name
            if place.is_symlink():
                continue
            with place.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                found[os.path.relpath(place, folder)] = (file.tell(), digest)
            told(len(found))
    return found


def _modes(parent: int, names: list[str], start: str) -> list[BackedFolder]:
    found = []
    for name in names:
        try:
            status = os.lstat(name, dir_fd=parent)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            found.append(BackedFolder(path=f"{start}{name}", mode=stat.S_IMODE(status.st_mode)))
    return found


def _is_link(name: str, parent: int) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode)
    except FileNotFoundError:
        return False


def _copy(name: str, parent: int, target: Path, path: str, copied: Copied) -> None:
    if _is_link(name, parent):
        found = os.readlink(name, dir_fd=parent)
        target.symlink_to(found)
        copied.links.append(BackedLink(path=path, target=found))
        return
    if not stat.S_ISREG(os.lstat(name, dir_fd=parent).st_mode):
        copied.left_out.append(path)
        return
    descriptor = os.open(name, _FILE, dir_fd=parent)
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        status = os.fstat(source.fileno())
        with target.open("xb") as sink:
            # Not past what it was when it was opened: a log may grow as fast as it is read.
            size, sha256 = poured(source, sink, status.st_size)
    copied.files.append(
        BackedFile(
            path=path,
            sha256=sha256,
            size=size,
            mode=stat.S_IMODE(status.st_mode) & 0o777,
            mtime_ns=status.st_mtime_ns,
        )
    )
