"""One node a data folder: a lock that the system releases when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from phems.errors import UnavailableError


class NodeLock:
    """Held while a node, or a command that starts its database, works on `data_dir`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> Self:
        """Take the lock; UnavailableError names the process that holds it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UnavailableError(
                f"The data folder {self._path.parent} cannot be written.",
                why=error.strerror or str(error),
                remedy=f"See who owns it and which user you are: ls -ld {self._path.parent}; id",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            pid = self.holder()
            raise UnavailableError(
                f"Another node works on {self._path.parent}" + (f" (process {pid})." if pid else "."),
                why="two nodes on one data folder would destroy each other's database.",
                remedy=(f"Stop it: kill {pid}" if pid else "Stop it")
                + ", or set another data_dir in node.yaml.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give the lock back. Idempotent. The file stays: removing it would let two hold "the" lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that wrote itself in the lock last; it may have ended since."""
        try:
            return int(self._path.read_text().strip())
        except (OSError, ValueError):
            return None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
