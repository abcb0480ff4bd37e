"""The folders that runs left: compute logs, and what steps wrote to their project's artifact folder.

Project code writes to artifact folders, so nothing on the way to a run's folder is taken on trust: each part
is opened without following a link, and what is removed is removed below the folder that was opened.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from phems.adapters.files.disk import disk_errors
from phems.domain.retention import Area

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

PLACES: Mapping[Area, tuple[tuple[str, ...], ...]] = {
    Area.COMPUTE_LOGS: (("logs",),),
    Area.ARTIFACTS: (("artifacts", "{project}", "outputs"), ("artifacts", "{project}", "io", "runs")),
}
"""Where the folders of runs lie below data_dir; an asset's value lies in none of them."""


class RunFolders:
    """Folders named by runs, below `data_dir`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def measure(self, project: str, area: Area, run_id: str) -> tuple[int, int]:
        """How many files a run has there, and their bytes."""
        files = size = 0
        for place in self._opened(project, area):
            with suppress(FileNotFoundError, NotADirectoryError):
                for _, _, names, folder in os.fwalk(run_id, dir_fd=place, follow_symlinks=False):
                    for name in names:
                        with suppress(FileNotFoundError):
                            files, size = files + 1, size + os.lstat(name, dir_fd=folder).st_size
        return files, size

    def remove(self, project: str, area: Area, run_id: str) -> None:
        """Remove them, and the run's folder."""
        for place in self._opened(project, area):
            with (
                disk_errors("What a run left could not be removed", self._data_dir),
                suppress(FileNotFoundError),
            ):
                if stat.S_ISDIR(os.lstat(run_id, dir_fd=place).st_mode):
                    shutil.rmtree(run_id, dir_fd=place)
                else:
                    os.unlink(run_id, dir_fd=place)

    def _opened(self, project: str, area: Area) -> Iterator[int]:
        for parts in PLACES[area]:
            folder = _open(self._data_dir, [part.format(project=project) for part in parts])
            if folder is not None:
                try:
                    yield folder
                finally:
                    os.close(folder)


def _open(root: Path, parts: list[str]) -> int | None:
    """A folder below `root`, opened without following a link; None when there is none."""
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    for part in parts:
        try:
            inner = os.open(part, _FOLDER, dir_fd=folder)
        except OSError:
            return None
        finally:
            os.close(folder)
        folder = inner
    return folder
