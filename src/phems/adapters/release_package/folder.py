"""A package in a folder, read without being led out of it: port `PackageFolder`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from phems.adapters.files.artifact_areas import CHUNK
from phems.adapters.files.beneath import open_beneath
from phems.errors import InputError


class LocalPackageFolder:
    """A package below `root`."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(
                f"{root} is not a folder.",
                why="a release package is a folder with files in it.",
                remedy="Name the folder that holds manifest.json and attestation.dsse.json.",
            )
        self._root = root

    def paths(self) -> Iterable[str]:
        """See the port."""
        return sorted(self._walk(self._root))

    def chunks(self, path: str) -> Iterator[bytes]:
        """See the port."""
        with open_beneath(self._root, tuple(path.split("/"))) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def _walk(self, folder: Path) -> Iterator[str]:
        with os.scandir(folder) as entries:
            found = list(entries)
        if not found and folder != self._root:
            yield str(folder.relative_to(self._root))
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            else:
                yield str(Path(entry.path).relative_to(self._root))
