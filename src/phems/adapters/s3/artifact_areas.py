"""Artifact areas on S3: port `ArtifactAreas`, and what the wall's storage service does for steps.

A step writes to its artifact folder as on one machine. What is to last goes to the bucket under
`<project>/<path>` before the step is told that it is kept; what another machine wrote is fetched into a
folder that the project's code can read and cannot write, by its ETag, so that nothing that is being read
or written is replaced.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from phems.adapters.files.artifact_areas import FolderArtifactAreas, Identity
from phems.adapters.files.disk import disk_errors
from phems.adapters.s3.bucket import Bucket, OtherBytesError, ReplacedError, Stored
from phems.adapters.s3.parts import PART
from phems.domain.outputs import check_output_path
from phems.errors import InputError, RefusedError, UnavailableError

VALUES = "io"
_MOST_KNOWN = 10_000
_MOST_LOOKS = 5
_READ_WITHIN_SECONDS = 3600
_Name = tuple[str, str]


class S3ArtifactAreas:
    """A prefix of `bucket` for each project; `folders` are the areas that steps of this machine write to.

    `fetched(project)` is the folder for what is fetched; `limit(project)` the largest file of a step.
    """

    def __init__(
        self,
        bucket: Bucket,
        folders: FolderArtifactAreas,
        fetched: Callable[[str], Path],
        limit: Callable[[str], int],
    ) -> None:
        self._bucket = bucket
        self._folders = folders
        self._fetched = fetched
        self._limit = limit
        self._lock = threading.Lock()
        # What this process has stored: the file as it lay there, and the object's ETag.
        self._known: OrderedDict[_Name, tuple[Identity, str]] = OrderedDict()
        self._turns: dict[_Name, tuple[threading.Lock, int]] = {}

    def chunks(self, project: str, path: str, *, limit: int) -> Iterator[bytes]:
        """See the port: from the bucket, or the folder for what was written before there was a bucket."""
        check_output_path(path)
        found = self._bucket.look(_key(project, path))
        if found is None:
            yield from self._folders.chunks(project, path, limit=limit)
            return
        if found.size > limit:
            raise InputError(
                f"The output {path!r} is too large.",
                why=f"it has {found.size:,} bytes; the limit is {limit:,}.",
                remedy="Aggregate or split it before writing it, or ask the Operator to raise the limit.",
            )
        yield from self._bucket.chunks(_key(project, path))

    def taken(self, project: str, path: str, *, limit: int) -> Iterator[bytes]:
        """See the port: from the folder, and into the bucket as the bytes pass."""
        with self._turn((project, path)):
            try:
                yield from self._passing((project, path), limit)
            except OtherBytesError as error:
                raise InputError(
                    f"The file {path!r} changed while it was stored.",
                    why="another file took its place.",
                    remedy="Close the file before it is registered, and do not write to it again.",
                ) from error

    def keep(self, project: str, path: str) -> None:
        """Store a value that a step of the project wrote; afterwards every machine can find it.

        Whatever lies there by then: of two steps that write one name at once, the last counts.
        """
        _check_value(path)
        with self._turn((project, path)):
            for _ in range(_MOST_LOOKS):
                with suppress(OtherBytesError):
                    for _ in self._passing((project, path), self._limit(project)):
                        pass
                    return
        raise UnavailableError(
            f"The value {path!r} cannot be stored.",
            why="it is replaced again and again while it is read.",
            remedy="Run the step again when the others that write it have ended",
        )

    def _passing(self, name: _Name, limit: int) -> Iterator[bytes]:
        project, path = name
        before = self._folders.identity(project, path)
        sha256 = ""
        if before.size > PART:
            hasher = hashlib.sha256()
            for chunk in self._folders.chunks(project, path, limit=limit):
                hasher.update(chunk)
            sha256 = hasher.hexdigest()

        def remember(etag: str) -> None:
            with self._lock:
                self._known[name] = (before, etag)
                self._known.move_to_end(name)
                if len(self._known) > _MOST_KNOWN:
                    self._known.popitem(last=False)

        yield from self._bucket.passing(
            _key(project, path),
            self._folders.chunks(project, path, limit=limit),
            size=before.size,
            sha256=sha256,
            on_stored=remember,
        )

    @contextmanager
    def _turn(self, name: _Name) -> Iterator[None]:
        """One at a time stores a name: a lost attempt cannot put its bytes over those of the next."""
        with self._lock:
            mine, others = self._turns.get(name, (threading.Lock(), 0))
            self._turns[name] = (mine, others + 1)
        try:
            with mine:
                yield
        finally:
            with self._lock:
                _, left = self._turns.pop(name)
                if left > 1:
                    self._turns[name] = (mine, left - 1)

    def find(self, project: str, path: str) -> str | None:
        """See that a value is at hand, as it was last kept.

        Gives where it lies below the project's folder of what was fetched; empty when it lies in the
        artifact folder under its own path; None when it was never kept.
        """
        _check_value(path)
        for _ in range(_MOST_LOOKS):
            stored = self._bucket.look(_key(project, path))
            if stored is None:
                return None
            with suppress(ReplacedError):
                return self._at_hand(project, path, stored)
        raise UnavailableError(
            f"The value {path!r} cannot be read.",
            why="it is replaced again and again while it is read.",
            remedy="Run the step again when the runs that write it have ended",
        )

    def _at_hand(self, project: str, path: str, stored: Stored) -> str:
        with self._lock:
            known = self._known.get((project, path))
        if known is not None and known[1] == stored.etag and self._lies(project, path, known[0]):
            return ""
        folder = hashlib.sha256(path.encode()).hexdigest()[:32]
        return f"{folder}/{self._fetch(project, path, folder, stored)}"

    def _lies(self, project: str, path: str, identity: Identity) -> bool:
        with suppress(InputError):
            return self._folders.identity(project, path) == identity
        return False

    def _fetch(self, project: str, path: str, folder: str, stored: Stored) -> str:
        place = self._fetched(project) / folder
        name = hashlib.sha256(f"{stored.etag} {stored.sha256} {stored.size}".encode()).hexdigest()[:32]
        if (place / name).is_file():
            return name
        with disk_errors("A value could not be fetched", place):
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
            beside = place / f".{secrets.token_hex(8)}"
            try:
                with beside.open("xb") as file:
                    for chunk in self._bucket.chunks(_key(project, path), etag=stored.etag):
                        file.write(chunk)
                beside.chmod(0o444)
                beside.rename(place / name)
                _remove_older(place, name)
            finally:
                beside.unlink(missing_ok=True)
        return name


def _remove_older(place: Path, name: str) -> None:
    """Remove what nobody is about to read: a step opens what it was told of at once."""
    for other in os.scandir(place):
        with suppress(FileNotFoundError):
            if other.name != name and other.stat().st_mtime < time.time() - _READ_WITHIN_SECONDS:
                Path(other.path).unlink()


def _key(project: str, path: str) -> str:
    return f"{project}/{path}"


def _check_value(path: str) -> None:
    if check_output_path(path)[0] != VALUES:
        raise RefusedError(
            f"The node keeps no {path!r} for a step.",
            why=f"values lie below {VALUES}/; files that may leave the node are registered as outputs.",
            logged="A step asked the node to keep what is no value.",
        )
