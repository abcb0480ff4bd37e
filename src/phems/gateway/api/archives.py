"""A folder as a tar stream, the same bytes each time: names in order, no owner, no clock of this machine.

POSIX pax format (IEEE Std 1003.1): long names and large files have a place in it. Written as it is read, so
that a package of any size takes the memory of one chunk.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

MEDIA_TYPE = "application/x-tar"
_CHUNK = 1024 * 1024
_BLOCK = tarfile.BLOCKSIZE
_END = b"\0" * (2 * _BLOCK)


@dataclass(frozen=True)
class Archive:
    """The tar of a folder: its exact size in bytes, known before a byte is read, and the bytes."""

    files: tuple[tuple[str, Path, int], ...]
    at: int

    @property
    def size(self) -> int:
        """Bytes of the whole stream."""
        return sum(len(self._head(name, size)) + _padded(size) for name, _, size in self.files) + len(_END)

    def chunks(self) -> Iterator[bytes]:
        """The stream. OSError when a file is no longer as long as it was."""
        for name, path, size in self.files:
            yield self._head(name, size)
            yield from _content(path, size)
            yield b"\0" * (_padded(size) - size)
        yield _END

    def _head(self, name: str, size: int) -> bytes:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, self.at, 0o444
        return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def archive_of(folder: Path, *, name: str, at: datetime | None) -> Archive:
    """The archive of every plain file below `folder`, as `name/...`, each dated `at`."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return Archive(
        files=tuple(
            (f"{name}/{path.relative_to(folder).as_posix()}", path, path.stat().st_size) for path in found
        ),
        at=int(at.timestamp()) if at is not None else 0,
    )


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    with path.open("rb") as source:
        while left:
            chunk = source.read(min(_CHUNK, left))
            if not chunk:
                raise OSError(f"{path.name} is shorter than it was")
            left -= len(chunk)
            yield chunk
