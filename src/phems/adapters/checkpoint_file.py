"""The signed checkpoint of the audit log as a file of the node's data folder, replaced all or nothing.

Beside it grows a history: one checkpoint for every 64 entries or so, never rewritten. It narrows down where a
log was written anew, and is what `phems audit consistency` can start from. Nothing rests on it being whole.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from phems.adapters.durable_files import sync_folder, write_beside
from phems.domain.checkpoints import Checkpoint, parse_checkpoint
from phems.errors import IntegrityError, UnavailableError

HISTORY_STEP = 64


class CheckpointFile:
    """`CheckpointStore` over one file. Several processes of the node may use it at once."""

    def __init__(self, path: Path, *, keep_history: bool = True) -> None:
        self._path = path
        self._older = path.with_name(f"{path.name}.json")
        self._history = path.with_name(f"{path.name}.history") if keep_history else None

    def read(self) -> Checkpoint | None:
        """The checkpoint; None when there is no such file."""
        try:
            written = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnavailableError(
                f"{self._path} cannot be read.",
                why=error.strerror or str(error),
                remedy=f"See that the node can read its audit folder: ls -ld {self._path.parent}",
            ) from error
        try:
            return parse_checkpoint(written.decode())
        except ValueError as error:
            raise IntegrityError(
                f"{self._path} is not a checkpoint of the audit log.",
                why=str(error),
                remedy="Restore the audit folder from the newest backup, then: phems audit verify",
            ) from error

    def history(self) -> Iterator[Checkpoint]:
        """Earlier checkpoints, oldest first."""
        if self._history is None or not self._history.exists():
            return
        with self._history.open("rb") as lines:
            for line in lines:
                # A crash may have cut a line short; a forger may have written anything.
                with suppress(ValueError, KeyError, TypeError, AttributeError):
                    yield parse_checkpoint(json.loads(line)["checkpoint"])

    def prepare(self, checkpoint: Checkpoint) -> PreparedFile:
        """Write it beside the last one."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"{self._path.parent} cannot be written.",
                why=error.strerror or str(error),
                remedy=f"Make it a folder again that the node can write to: ls -ld {self._path.parent}",
            ) from error
        beside = write_beside(self._path, [str(checkpoint).encode()])
        return PreparedFile(self, beside, checkpoint)

    def publish(self, beside: Path, checkpoint: Checkpoint) -> None:
        """Make a prepared file the checkpoint, unless a later one is there."""
        with self._locked():
            present = self.read()
            if present is not None and present.size >= checkpoint.size:
                return
            beside.replace(self._path)
            sync_folder(self._path.parent)
            if (0 if present is None else present.size) // HISTORY_STEP < checkpoint.size // HISTORY_STEP:
                self._remember(checkpoint)

    def older(self) -> Mapping[str, Any] | None:
        """The checkpoint of the form from before there was a tree."""
        try:
            found = json.loads(self._older.read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def forget_older(self) -> None:
        """Remove the checkpoint of that form."""
        self._older.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a crash left prepared."""
        for left in self._path.parent.glob(f".{self._path.name}.*"):
            left.unlink(missing_ok=True)

    def _remember(self, checkpoint: Checkpoint) -> None:
        if self._history is None:
            return
        # The act has happened, and its checkpoint counts: a history that cannot grow stops nothing.
        with suppress(OSError), self._history.open("a") as history:
            history.write(json.dumps({"checkpoint": str(checkpoint)}, ensure_ascii=False) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._path.parent / f"{self._path.name}.lock").open("a") as lock:
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
