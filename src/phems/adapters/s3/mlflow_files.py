"""The files of a project's MLflow, in the bucket of what steps write: port `mlflow.file_door.Files`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from phems.adapters.s3.bucket import Bucket, OtherBytesError
from phems.errors import InputError

PREFIX = ".mlflow"
"""No project can have this name."""
_LONGEST = 900  # bytes; S3 takes keys of 1,024


class S3MlflowFiles:
    """Objects of `bucket` below `.mlflow/<project>/`."""

    def __init__(self, bucket: Bucket, project: str) -> None:
        self._bucket = bucket
        self._prefix = f"{PREFIX}/{project}/"

    def write(self, path: str, chunks: Iterable[bytes], *, size: int, sha256: str) -> None:
        """See the port."""
        try:
            whole = _announced(chunks, sha256)
            for _ in self._bucket.passing(self._key(path), whole, size=size, sha256=sha256):
                pass
        except OtherBytesError as error:
            raise InputError(
                f"The file {path!r} of MLflow was not kept.", why="its bytes are not those announced."
            ) from error

    def read(self, path: str) -> tuple[int, Iterator[bytes]] | None:
        """See the port."""
        key = self._key(path)
        found = self._bucket.look(key)
        return None if found is None else (found.size, self._bucket.chunks(key, etag=found.etag))

    def entries(self, path: str) -> Iterator[tuple[str, int | None]]:
        """See the port."""
        yield from self._bucket.children(f"{self._key(path)}/" if path else self._prefix)

    def _key(self, path: str) -> str:
        """Only the server asks here, but what it asks for is what project code named."""
        parts = path.split("/")
        if {"", ".", ".."} & set(parts) or not path.isprintable() or len(path.encode()) > _LONGEST:
            raise InputError(
                f"MLflow cannot keep a file {path[:80]!r} in a bucket.",
                why="a part of it is empty or made of dots, or it cannot be printed, or is too long.",
                remedy="Give the file, and the folders that it is in, plain names.",
            )
        return f"{self._prefix}{path}"


def _announced(chunks: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    """The chunks; raises `OtherBytesError` after the last one when they are not what was announced."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != sha256:
        raise OtherBytesError
