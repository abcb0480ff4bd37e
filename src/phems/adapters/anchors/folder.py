"""An anchor that is a folder elsewhere: a share of another department, a write-once volume.

Each checkpoint is a file of its own, named by its size; one that is there is never replaced. The folder is an
anchor only as far as the node cannot remove files from it: see to that where it is mounted from.
"""

from __future__ import annotations

from pathlib import Path

from phems.adapters.durable_files import create
from phems.domain.checkpoints import Checkpoint, parse_checkpoint
from phems.errors import UnavailableError

SUFFIX = ".checkpoint"


def file_name(size: int) -> str:
    """The name of a checkpoint's file; names sort as sizes do."""
    return f"{size:020d}{SUFFIX}"


def named_checkpoint(name: str, content: str) -> Checkpoint:
    """The checkpoint in a file of this name; ValueError when it is none, or one of another size.

    Otherwise an old checkpoint under a large number would hide the newer ones.
    """
    checkpoint = parse_checkpoint(content)
    if file_name(checkpoint.size) != name:
        raise ValueError(f"{name} holds the checkpoint of {checkpoint.size} entries")
    return checkpoint


class FolderAnchor:
    """`Anchor` over a folder that must be there already: a share that is not mounted is no new folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def submit(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint's file, unless it is there."""
        self._check()
        try:
            create(self._folder / file_name(checkpoint.size), str(checkpoint).encode(), mode=0o644)
        except OSError as error:
            raise self._unavailable(error.strerror or str(error)) from error

    def latest(self, known: int) -> Checkpoint | None:  # noqa: ARG002 (a folder is listed as a whole)
        """The checkpoint with the largest size in its name."""
        self._check()
        try:
            names = sorted(path.name for path in self._folder.glob(f"*{SUFFIX}"))
            return named_checkpoint(names[-1], (self._folder / names[-1]).read_text()) if names else None
        except (OSError, ValueError) as error:
            raise self._unavailable(str(error)) from error

    def _check(self) -> None:
        if not self._folder.is_dir():
            raise self._unavailable("it is not there, or is not mounted")

    def _unavailable(self, why: str) -> UnavailableError:
        return UnavailableError(
            f"The folder {self._folder} does not take checkpoints.",
            why=f"{why}.",
            remedy=f"See that it is mounted, and writable: ls -ld {self._folder}; then: phems audit anchor",
        )
