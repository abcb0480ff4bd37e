"""The files of the node as the use cases see them: artifact areas, frozen files, the release zone.

Contents travel as iterators of chunks, so that a file is read once, in bounded memory, and hashed,
checked and copied in the same pass. Every method raises `UnavailableError` when a disk is full or a
folder cannot be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ArtifactAreas(Protocol):
    """Reads what runs wrote. The areas belong to project code: nothing in them is trusted."""

    def chunks(self, project: str, path: str, *, limit: int) -> Iterator[bytes]:
        """The bytes of a file, at most `limit` of them.

        Raises `InputError`, naming the path, for one that climbs, is absolute, passes through a symbolic
        link, is no regular file, is too large, or changes while it is read.
        """
        ...

    def taken(self, project: str, path: str, *, limit: int) -> Iterator[bytes]:
        """The bytes of a file that a step of this machine has just written, to be kept from now on.

        When the last has been taken, `chunks` gives them to every process of the node. Raises as `chunks`.
        """
        ...


class FrozenWriter(Protocol):
    """Takes the files of one turn of one request."""

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write one file, durably and read-only."""
        ...


class FrozenFiles(Protocol):
    """Keeps the bytes that are reviewed and released, out of reach of project code."""

    def freeze(self, request_id: str, turn: int) -> AbstractContextManager[FrozenWriter]:
        """Write the files of a turn: all of them, or, when an exception leaves the block, none."""
        ...

    def discard(self, request_id: str, turn: int) -> None:
        """Remove the files of a turn. Idempotent."""
        ...

    def folder(self, request_id: str, turn: int) -> Path:
        """Where the files of a turn lie, each by its path: the output checks see them read-only."""
        ...

    def chunks(self, request_id: str, turn: int, path: str) -> Iterator[bytes]:
        """The bytes of a frozen file; `IntegrityError` when it is gone."""
        ...


@dataclass(frozen=True)
class PackageFile:
    """A file on its way into a package: where it goes, what it must hash to, and its bytes."""

    path: str
    sha256: str
    chunks: Iterable[bytes]


class ReleaseZone(Protocol):
    """Where release packages lie, one folder per request. What is in there has left the node.

    A package is staged out of sight, and then placed: it is there when its manifest is.
    """

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the zone: one publisher at a time."""
        ...

    def stage(self, request_id: str, parts: Mapping[str, bytes], files: Iterable[PackageFile]) -> None:
        """Write the package out of sight, durably: its files, every byte hashed, and its generated parts.

        Idempotent: what was staged before is thrown away. Raises `IntegrityError`, naming the file and
        both hashes, when bytes are not those that were reviewed; then nothing stays staged.
        """
        ...

    def discard(self, request_id: str) -> None:
        """Throw away what is staged. Idempotent."""
        ...

    def place(self, request_id: str) -> None:
        """Make the staged package visible, at once and as a whole."""
        ...

    def holds(self, request_id: str) -> bool:
        """Whether the package is placed."""
        ...

    def add_notice(self, request_id: str, name: str, content: bytes) -> None:
        """Put a further file into a placed package (a revocation notice), unless it is there."""
        ...

    def address(self, request_id: str) -> str:
        """Where the package lies or would lie, for people."""
        ...

    def copy_to(self, request_id: str, target: Path) -> Path:
        """Copy a placed package to the new folder `target/<request id>`, whole, every byte hashed.

        Raises `IntegrityError`, naming the file, for one that is not what was signed.
        """
        ...
