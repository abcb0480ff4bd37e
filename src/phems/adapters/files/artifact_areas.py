"""Reads the projects' artifact areas, which project code writes to: port `ArtifactAreas`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phems.adapters.files.beneath import open_beneath
from phems.domain.outputs import check_output_path, check_output_size
from phems.errors import InputError

CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Identity:
    """What tells a file from one that takes its place, or that is written to."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class FolderArtifactAreas:
    """One folder per project below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def chunks(self, project: str, path: str, *, limit: int) -> Iterator[bytes]:
        """See the port. The size is checked before the first byte is read, and again as bytes come."""
        parts = check_output_path(path)
        with open_beneath(self._root / project, parts) as file:
            before = os.fstat(file.fileno())
            check_output_size(path, before.st_size, limit)
            read = 0
            while chunk := file.read(CHUNK):
                read += len(chunk)
                check_output_size(path, read, limit)
                yield chunk
            after = os.fstat(file.fileno())
        if (before.st_mtime_ns, before.st_size) != (
            after.st_mtime_ns,
            after.st_size,
        ) or read != after.st_size:
            raise InputError(
                f"The output {path!r} changed while it was read.",
                why="its size or time of change is not what it was at the beginning.",
                remedy="Close the file before it is registered, and do not write to it again.",
            )

    def taken(self, project: str, path: str, *, limit: int) -> Iterator[bytes]:
        """See the port: the folder is what every process of the node reads."""
        return self.chunks(project, path, limit=limit)

    def identity(self, project: str, path: str) -> Identity:
        """The file at `path` as it lies there; raises `InputError` as `chunks` does."""
        with open_beneath(self._root / project, check_output_path(path)) as file:
            found = os.fstat(file.fileno())
        return Identity(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
