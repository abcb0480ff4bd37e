"""Content hashes of data sources, each taken once for as long as the file does not change.

A file is taken to be unchanged while its path, inode, size and times of modification and of status change are
(the last cannot be set back by whoever rewrites a file and its time of modification). What was hashed is kept
beside the node's data, so that a new start of the node does not hash again. A file that was changed just now
is hashed, but not remembered: within one tick of the clock it could change once more.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from phems.adapters.durable_files import replace
from phems.errors import UnavailableError

SETTLED_NS = 2_000_000_000
ATTEMPTS = 3

Identity = tuple[int, int, int, int, int]


class HashedDataVersions:
    """`DataVersions` over files of this machine; `memory` is where hashes are kept."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, tuple[Identity, str]] = _read(memory)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def of(self, file: Path) -> str | None:
        """The SHA-256 of a file; None when there is no such file."""
        path = str(file)
        try:
            identity = _identity(file.stat())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(file, error) from error
        if identity is None:
            return None
        known = self._known.get(path)
        if known is not None and known[0] == identity:
            return known[1]
        with self._guard:
            lock = self._locks[path]
        with lock:  # a second run that needs it waits for the hash, and does not take it again
            known = self._known.get(path)
            return known[1] if known is not None and known[0] == identity else self._hash(file)

    def _hash(self, file: Path) -> str:
        for _ in range(ATTEMPTS):
            try:
                with file.open("rb") as stream:
                    before = _identity(os.fstat(stream.fileno()))
                    found = hashlib.file_digest(stream, "sha256").hexdigest()
                    after = _identity(os.fstat(stream.fileno()))
                    at_path = _identity(file.stat())
            except OSError as error:
                raise _unreadable(file, error) from error
            if before is not None and before == after == at_path:
                self._remember(str(file), before, found)
                return found
        raise UnavailableError(
            f"The data source {file} has no version.",
            why=f"it changed {ATTEMPTS} times while it was read.",
            remedy="Wait until it is written; replace data files by a rename, never in place.",
        )

    def _remember(self, path: str, identity: Identity, found: str) -> None:
        if time.time_ns() - max(identity[3:]) < SETTLED_NS:
            return
        with self._guard:
            self._known[path] = (identity, found)
            kept = {name: [*known, digest] for name, (known, digest) in self._known.items()}
        with suppress(UnavailableError):  # a full disk costs another hash, no more
            replace(self._memory, json.dumps(kept).encode(), mode=0o600)


def _identity(status: os.stat_result) -> Identity | None:
    if not stat.S_ISREG(status.st_mode):
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(memory: Path) -> dict[str, tuple[Identity, str]]:
    try:
        kept = json.loads(memory.read_text())
        return {
            str(path): ((int(a), int(b), int(c), int(d), int(e)), str(digest))
            for path, (a, b, c, d, e, digest) in kept.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _unreadable(file: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"The data source {file} cannot be read.",
        why=error.strerror or str(error),
        remedy=f"Check its permissions: ls -l {file}",
    )
