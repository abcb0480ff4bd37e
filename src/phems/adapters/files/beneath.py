"""Opening a file below a folder that others write to, without being led out of it.

Each component is opened relative to the one before with O_NOFOLLOW: a symbolic link anywhere on the
way is refused, also one that is put there at the very moment of opening.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from phems.errors import InputError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# NONBLOCK: opening a FIFO must not wait for its writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_WHY = {
    errno.ELOOP: "it is, or passes through, a symbolic link.",
    errno.ENOTDIR: "it is, or passes through, a symbolic link or a file.",
    errno.ENOENT: "there is no such file.",
    errno.ENXIO: "it is no regular file.",
    errno.EACCES: "the node may not read it.",
}


@contextmanager
def open_beneath(root: Path, parts: tuple[str, ...]) -> Iterator[FileIO]:
    """A regular file at `root/parts[0]/parts[1]/...`; raises `InputError` naming the path."""
    path = "/".join(parts)
    try:
        folder = os.open(root, _FOLDER)
        try:
            for part in parts[:-1]:
                inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _refused(path, _WHY.get(error.errno or 0, f"{error.strerror}.")) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _refused(path, "it is no regular file.")
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield file


def _refused(path: str, why: str) -> InputError:
    return InputError(
        f"The file {path!r} cannot be read.",
        why=why,
        remedy="Write it as a plain file in the run's own outputs folder, with phems.project's `outputs`.",
    )
