"""The release zone as a folder: `<root>/<request>/`, staged as `<root>/.tmp-<request>`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.durable_files import sync_folder
from phems.adapters.files.artifact_areas import CHUNK
from phems.adapters.files.beneath import open_beneath
from phems.adapters.files.disk import disk_errors, remove_tree, sync_folders, write_file
from phems.adapters.release_package.copying import checked, copy_package, not_placed
from phems.domain.outputs import check_output_path
from phems.domain.release_packages import MANIFEST
from phems.services.ports.artifacts import PackageFile

_READ_ONLY = 0o444


class FolderReleaseZone:
    """Release packages below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, request_id: str) -> str:
        """See the port."""
        return str(self.path(request_id))

    def path(self, request_id: str) -> Path:
        """The folder of a package."""
        return self._root / request_id

    def staging(self, request_id: str) -> Path:
        """The folder that a package is staged in."""
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
        staging = self.staging(request_id)
        with disk_errors("The release package could not be written", self._root):
            remove_tree(staging)
            staging.mkdir(parents=True, mode=0o700)
            try:
                for file in files:
                    place = staging.joinpath(*check_output_path(file.path))
                    write_file(place, checked(file.chunks, file.path, file.sha256), _READ_ONLY)
                for path, content in parts.items():
                    write_file(staging.joinpath(*check_output_path(path)), [content], _READ_ONLY)
                sync_folders(staging)
            except BaseException:
                remove_tree(staging)
                raise

    def discard(self, request_id: str) -> None:
        """See the port."""
        remove_tree(self.staging(request_id))

    def place(self, request_id: str) -> None:
        """See the port."""
        staging = self.staging(request_id)
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
        if not self.holds(request_id):
            raise not_placed(request_id, self.address(request_id))
        return copy_package(request_id, lambda path: _read(self.path(request_id), path), target)


def _read(folder: Path, path: str) -> Iterator[bytes]:
    with open_beneath(folder, check_output_path(path)) as file:
        while chunk := file.read(CHUNK):
            yield chunk
