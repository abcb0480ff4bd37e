"""The release zone as a bucket: `<request>/<path>`. A package is there with its manifest, which comes last.

A bucket has no rename, so a package is staged in a folder of the node (`outgoing`), and placed by writing
its objects. Each write is conditional: a name that is taken by the same bytes is taken by us, in an earlier
attempt; by any other bytes, nothing is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from phems.adapters.files.artifact_areas import CHUNK
from phems.adapters.files.disk import disk_errors
from phems.adapters.files.release_zone import FolderReleaseZone
from phems.adapters.release_package.copying import copy_package, not_placed
from phems.adapters.s3.bucket import Bucket, NameTakenError
from phems.domain.release_packages import MANIFEST
from phems.errors import IntegrityError
from phems.services.ports.artifacts import PackageFile


class S3ReleaseZone:
    """Release packages in `bucket`, staged below the folder of `outgoing`."""

    def __init__(self, bucket: Bucket, outgoing: FolderReleaseZone) -> None:
        self._bucket = bucket
        self._outgoing = outgoing

    def address(self, request_id: str) -> str:
        """See the port."""
        return self._bucket.address(f"{request_id}/")

    def exclusive(self) -> AbstractContextManager[None]:
        """See the port. Publishers of other machines are kept apart by conditional writes alone."""
        return self._outgoing.exclusive()

    def stage(self, request_id: str, parts: Mapping[str, bytes], files: Iterable[PackageFile]) -> None:
        """See the port."""
        self._outgoing.stage(request_id, parts, files)

    def discard(self, request_id: str) -> None:
        """See the port."""
        self._outgoing.discard(request_id)

    def place(self, request_id: str) -> None:
        """See the port. What an attempt that was cut short has placed is found, and not placed twice."""
        staging = self._outgoing.staging(request_id)
        with disk_errors("The release package could not be read", staging):
            paths = [path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file()]
            for path in sorted(paths, key=lambda path: (path == MANIFEST, path)):
                self._place(f"{request_id}/{path}", staging / path)
        self._outgoing.discard(request_id)

    def holds(self, request_id: str) -> bool:
        """See the port."""
        return self._bucket.look(f"{request_id}/{MANIFEST}") is not None

    def add_notice(self, request_id: str, name: str, content: bytes) -> None:
        """See the port."""
        key = f"{request_id}/{name}"
        if self._bucket.look(key) is None or b"".join(self._bucket.chunks(key)) != content:
            self._bucket.put(key, content)

    def copy_to(self, request_id: str, target: Path) -> Path:
        """See the port."""
        if not self.holds(request_id):
            raise not_placed(request_id, self.address(request_id))
        return copy_package(request_id, lambda path: self._bucket.chunks(f"{request_id}/{path}"), target)

    def _place(self, key: str, file: Path) -> None:
        sha256, size = _digest(file), file.stat().st_size
        with file.open("rb") as source:
            chunks = iter(lambda: source.read(CHUNK), b"")
            try:
                for _ in self._bucket.passing(key, chunks, size=size, sha256=sha256, new=True):
                    pass
            except NameTakenError as error:
                hasher = hashlib.sha256()
                for chunk in self._bucket.chunks(key):
                    hasher.update(chunk)
                if hasher.hexdigest() != sha256:
                    raise IntegrityError(
                        f"{self._bucket.address(key)} is taken by another file.",
                        why=f"its SHA-256 is {hasher.hexdigest()}; the one to be released has {sha256}.",
                        remedy="Find out who wrote it; nothing of the node replaces what has left it",
                    ) from error
                # It may have been placed just before the node died, and not been locked.
                self._bucket.lock(key)


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
