"""The signed checkpoint of the audit log as a file of the node's data folder, replaced all or nothing."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from phems.adapters.durable_files import sync_folder, write_beside
from phems.domain.audit import Checkpoint
from phems.domain.canonical import canonical
from phems.errors import IntegrityError
from phems.services.audit import parse_checkpoint


class CheckpointFile:
    """`CheckpointStore` over one file. Several processes of the node may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Checkpoint | None:
        """The checkpoint; None when there is no such file."""
        try:
            written = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return parse_checkpoint(json.loads(written))
        except ValueError as error:
            raise IntegrityError(
                f"{self._path} is not a checkpoint of the audit log.",
                why=str(error),
                remedy="Restore the audit folder from the newest backup, then: phems audit verify",
            ) from error

    def prepare(self, checkpoint: Checkpoint) -> PreparedFile:
        """Write it beside the last one."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = write_beside(self._path, [canonical(asdict(checkpoint)), b"\n"])
        return PreparedFile(self, beside, checkpoint)

    def publish(self, beside: Path, checkpoint: Checkpoint) -> None:
        """Make a prepared file the checkpoint, unless a later one is there."""
        with self._locked():
            present = self.read()
            if present is not None and present.size >= checkpoint.size:
                return
            beside.replace(self._path)
            sync_folder(self._path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._path.parent / "checkpoint.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class PreparedFile:
    """A checkpoint on the disk that does not count yet."""

    def __init__(self, store: CheckpointFile, beside: Path, checkpoint: Checkpoint) -> None:
        self._store = store
        self._beside = beside
        self._checkpoint = checkpoint

    def publish(self) -> None:
        """Make it the checkpoint, unless a later one is there."""
        if self._beside.exists():
            self._store.publish(self._beside, self._checkpoint)

    def discard(self) -> None:
        """Remove it, when it was not published."""
        self._beside.unlink(missing_ok=True)
