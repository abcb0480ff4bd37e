"""Lineage events in a file of the node's folder, a JSON object a line: `LineageTarget`.

When the file is full it is put aside under the time of that, and the oldest of those that were put aside go.
A line that a crash has cut is taken back: its event is handed over again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from phems.adapters.durable_files import sync_folder
from phems.errors import UnavailableError

NAME = "events.ndjson"
MODE = 0o600


class LineageFile:
    """Appends to `folder/events.ndjson`. `size` is in bytes; `keep` counts the files put aside."""

    at_once = 500

    def __init__(self, folder: Path, *, size: int, keep: int, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._size = size
        self._keep = keep
        self._now = now

    @property
    def path(self) -> Path:
        """Where the next event goes."""
        return self._folder / NAME

    def send(self, events: Sequence[bytes]) -> None:
        """See the port."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._put_aside_when_full()
            self._append(b"".join(event + b"\n" for event in events))
        except OSError as error:
            raise UnavailableError(
                "The file of lineage events could not be written.",
                why=f"{self.path}: {error.strerror}.",
                remedy="Make room or mend the disk; it is tried again.",
            ) from error

    def _append(self, lines: bytes) -> None:
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, MODE)
        with os.fdopen(descriptor, "r+b") as file:
            file.seek(_end_of_last_line(file.fileno()))
            file.truncate()
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self._folder)

    def _put_aside_when_full(self) -> None:
        if not self.path.exists() or self.path.stat().st_size < self._size:
            return
        stamp = self._now().strftime("%Y%m%dT%H%M%S.%fZ")
        self.path.rename(self._folder / f"events-{stamp}.ndjson")
        aside = sorted(self._folder.glob("events-*.ndjson"))
        for old in aside[: max(0, len(aside) - self._keep)]:
            old.unlink()
        sync_folder(self._folder)


def _end_of_last_line(descriptor: int, step: int = 65536) -> int:
    """Where the last whole line ends, in bytes."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - step)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
