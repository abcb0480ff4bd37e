"""Writing that lasts, and disk errors that say what to do about them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.durable_files import sync_folder
from phems.errors import UnavailableError

_WHY = {
    errno.ENOSPC: "the disk is full.",
    errno.EDQUOT: "the disk quota is used up.",
    errno.EROFS: "the file system is read-only.",
    errno.EACCES: "this user may not write there.",
    errno.EPERM: "this user may not write there.",
}


@contextmanager
def disk_errors(doing: str, place: Path) -> Iterator[None]:
    """Turn an `OSError` within the block into an `UnavailableError`; `doing` is a clause in the past."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise UnavailableError(
            f"{doing} in {place}.",
            why=_WHY.get(error.errno or 0, f"{error.strerror or error}."),
            remedy=f"Make room (df -h {place}) and try again."
            if full
            else f"Make the folder writable (ls -ld {place}) and try again.",
        ) from error


def write_file(path: Path, chunks: Iterable[bytes], mode: int) -> None:
    """Write a new file with exactly `mode`, and see it to the disk. The name must not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as sink:
        for chunk in chunks:
            sink.write(chunk)
        sink.flush()
        os.fchmod(sink.fileno(), mode)
        os.fsync(sink.fileno())


def sync_folders(top: Path) -> None:
    """See the entries of a folder and of all below it to the disk."""
    for folder, _, _ in os.walk(top, topdown=False):
        sync_folder(Path(folder))


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours and all in it; nothing happens when it is not there."""
    if folder.is_dir():
        shutil.rmtree(folder)
