"""Files that are wholly there or not at all, also after a power cut: write beside, sync, rename."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from phems.errors import UnavailableError


def write_beside(path: Path, content: Iterable[bytes], *, mode: int = 0o600) -> Path:
    """Write a new file in the folder of `path`, durably; its name. UnavailableError when it cannot."""
    beside = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _not_written(path, error) from error
    return beside


def replace(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Put `content` in `path`, all or nothing."""
    _put(write_beside(path, [content], mode=mode), path)


def replace_with_lines(path: Path, lines: Iterable[bytes], *, mode: int = 0o600) -> int:
    """Put the lines in `path`, all or nothing; how many there were."""
    counted = 0

    def counting() -> Iterable[bytes]:
        nonlocal counted
        for line in lines:
            counted += 1
            yield line

    _put(write_beside(path, counting(), mode=mode), path)
    return counted


def create(path: Path, content: bytes, *, mode: int = 0o600) -> bool:
    """Make `path` with this content; False when it is there already (it is left as it is)."""
    beside = write_beside(path, [content], mode=mode)
    try:
        # A link fails when the name is taken: of two who try at once, one wins and both then agree.
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    sync_folder(path.parent)
    return True


def _put(beside: Path, path: Path) -> None:
    try:
        beside.replace(path)
    except OSError as error:
        beside.unlink()
        raise _not_written(path, error) from error
    sync_folder(path.parent)


def _not_written(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"{path} cannot be written.",
        why=error.strerror or str(error),
        remedy=f"Make room and see that it can be written: df -h {path.parent}; ls -ld {path.parent}",
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
