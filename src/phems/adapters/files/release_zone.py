"""The release zone as a folder: `<root>/<request>/`, staged as `<root>/.tmp-<request>`."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.files.artifact_areas import CHUNK
from phems.adapters.files.beneath import open_beneath
from phems.adapters.files.disk import disk_errors, remove_tree, sync_folder, sync_folders, write_file
from phems.adapters.release_package.dsse import unverified_subjects
from phems.domain.outputs import check_output_path
from phems.domain.release_packages import ATTESTATION, MANIFEST
from phems.errors import InputError, IntegrityError, NotFoundError
from phems.services.ports.artifacts import PackageFile
from phems.services.watched_chunks import watched

_READ_ONLY = 0o444


class FolderReleaseZone:
    """Release packages below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, request_id: str) -> Path:
        """See the port."""
        return self._root / request_id

    def _staging(self, request_id: str) -> Path:
        return self._root / f".tmp-{request_id}"

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See the port. The lock is the file `.lock`, and ends with the process that holds it."""
        with disk_errors("The release zone cannot be used", self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def stage(self, request_id: str, parts: Mapping[str, bytes], files: Iterable[PackageFile]) -> None:
        """See the port."""
        staging = self._staging(request_id)
        with disk_errors("The release package could not be written", self._root):
            remove_tree(staging)
            staging.mkdir(parents=True, mode=0o700)
            try:
                for file in files:
                    place = staging.joinpath(*check_output_path(file.path))
                    write_file(place, _checked(file.chunks, file.path, file.sha256), _READ_ONLY)
                for path, content in parts.items():
                    write_file(staging.joinpath(*check_output_path(path)), [content], _READ_ONLY)
                sync_folders(staging)
            except BaseException:
                remove_tree(staging)
                raise

    def discard(self, request_id: str) -> None:
        """See the port."""
        remove_tree(self._staging(request_id))

    def place(self, request_id: str) -> None:
        """See the port."""
        staging = self._staging(request_id)
        with disk_errors("The release package could not be placed", self._root):
            staging.chmod(0o755)
            staging.rename(self.path(request_id))
            sync_folder(self._root)

    def holds(self, request_id: str) -> bool:
        """See the port."""
        return (self.path(request_id) / MANIFEST).is_file()

    def add_notice(self, request_id: str, name: str, content: bytes) -> None:
        """See the port."""
        place = self.path(request_id) / name
        if place.is_file() and place.read_bytes() == content:
            return
        # Beside the package, not in it: a crash must not leave a file there that nobody signed.
        staging = self._root / f".tmp-{request_id}-{name}"
        with disk_errors("The notice could not be added to the release package", self._root):
            staging.unlink(missing_ok=True)
            write_file(staging, [content], _READ_ONLY)
            staging.rename(place)
            sync_folder(place.parent)

    def copy_to(self, request_id: str, target: Path) -> Path:
        """See the port."""
        source, place = self.path(request_id), target / request_id
        if not self.holds(request_id):
            raise NotFoundError(
                f"The release package {request_id} is not in the release zone.",
                why=f"{source} does not exist.",
                remedy="Start the node, which completes packages: phems serve",
            )
        if place.exists():
            raise InputError(
                f"{place} exists already.",
                why="a download never overwrites.",
                remedy="Choose another folder with --out.",
            )
        attestation = b"".join(_read(source, ATTESTATION))
        staging = target / f".tmp-{request_id}"
        with disk_errors("The release package could not be copied", target):
            remove_tree(staging)
            try:
                for path, sha256 in unverified_subjects(attestation).items():
                    inner = staging.joinpath(*check_output_path(path))
                    write_file(inner, _checked(_read(source, path), path, sha256), 0o644)
                write_file(staging / ATTESTATION, [attestation], 0o644)
                staging.rename(place)
            finally:
                remove_tree(staging)
        return place


def _read(folder: Path, path: str) -> Iterator[bytes]:
    with open_beneath(folder, check_output_path(path)) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _checked(chunks: Iterable[bytes], path: str, sha256: str) -> Iterator[bytes]:
    """Pass the bytes on; raise `IntegrityError` at their end when they are not the reviewed ones."""
    hasher = hashlib.sha256()
    yield from watched(chunks, hasher.update)
    if hasher.hexdigest() != sha256:
        error = IntegrityError(
            f"The file {path!r} is not the one that was reviewed.",
            why=f"its SHA-256 is {hasher.hexdigest()}; reviewed was {sha256}.",
            remedy="Find out who changed it. Revoke the request, and ask for the release again.",
        )
        error.logged = f"A file with the SHA-256 {hasher.hexdigest()} lies where {sha256} was reviewed."
        raise error
