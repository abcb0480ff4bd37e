"""Frozen files as a folder: `<root>/<request>/frozen/<turn>/<path>`, read-only: port `FrozenFiles`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phems.adapters.durable_files import sync_folder
from phems.adapters.files.artifact_areas import CHUNK
from phems.adapters.files.beneath import open_beneath
from phems.adapters.files.disk import disk_errors, remove_tree, sync_folders, write_file
from phems.domain.outputs import check_output_path
from phems.errors import InputError, IntegrityError


class FolderFrozenWriter:
    """Writes below one staging folder."""

    def __init__(self, staging: Path) -> None:
        self._staging = staging

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """See the port."""
        write_file(self._staging.joinpath(*check_output_path(path)), chunks, 0o400)


class FolderFrozenFiles:
    """Keeps frozen files below `root`, which project code cannot reach."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, request_id: str, turn: int) -> Path:
        """See the port."""
        return self._root / request_id / "frozen" / str(turn)

    @contextmanager
    def freeze(self, request_id: str, turn: int) -> Iterator[FolderFrozenWriter]:
        """See the port."""
        place = self.folder(request_id, turn)
        staging = place.with_name(f".tmp-{turn}")
        with disk_errors("The files of the release request could not be frozen", self._root):
            remove_tree(staging)
            staging.mkdir(parents=True, mode=0o700)
            try:
                yield FolderFrozenWriter(staging)
                sync_folders(staging)
                remove_tree(place)
                staging.rename(place)
                sync_folder(place.parent)
            finally:
                remove_tree(staging)

    def discard(self, request_id: str, turn: int) -> None:
        """See the port."""
        folder = self.folder(request_id, turn)
        remove_tree(folder)
        for empty in (folder.parent, folder.parent.parent):  # unless earlier turns lie there
            with contextlib.suppress(OSError):
                empty.rmdir()

    def chunks(self, request_id: str, turn: int, path: str) -> Iterator[bytes]:
        """See the port."""
        try:
            with open_beneath(self.folder(request_id, turn), check_output_path(path)) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except InputError as error:
            unreadable = IntegrityError(
                f"The frozen file {path!r} of {request_id} cannot be read.",
                why=error.why,
                remedy="Find out who changed the node's data folder. Then ask for the release again.",
            )
            unreadable.logged = f"A frozen file of {request_id} cannot be read: {error.why}"
            raise unreadable from error
