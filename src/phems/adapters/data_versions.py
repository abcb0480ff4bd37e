"""Content hashes of data sources, each taken once for as long as the file does not change.

A file is taken to be unchanged while its path, inode, size and times of modification and of status change are
(the last cannot be set back by whoever rewrites a file and its time of modification). What was hashed is kept
beside the node's data, so that no new start of the node, and no other of its processes, hashes again. What
was changed just now is hashed, but not remembered: within one tick of the clock it could change once more.
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
from phems.services.ports.data_versions import Identity

SETTLED_NS = 2_000_000_000
ATTEMPTS = 3


class HashedDataVersions:
    """`DataVersions` over files of this machine; `memory` is where hashes are kept."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, tuple[Identity, str]] = _read(memory)
        self._latest: dict[str, tuple[Identity, str]] = {}  # by the last reading, remembered or not
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def of(self, file: Path) -> str | None:
        """The SHA-256 of a file; None when there is no such file."""
        path, identity = str(file), self.identity(file)
        if identity is None:
            return None
        known = self._known.get(path)
        if known is not None and known[0] == identity:
            return known[1]
        with self._guard:
            lock = self._locks[path]
        with lock:  # a second run that needs it waits for the hash, and does not take it again
            for known in (self._known.get(path), _read(self._memory).get(path)):
                if known is not None and known[0] == identity:
                    self._known[path] = known
                    return known[1]
            return self._hash(file)

    def identity(self, file: Path) -> Identity | None:
        """Device, inode, size, and the times of both changes; None when it is no file, or not there."""
        try:
            return _identity(file.stat())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(file, error) from error

    def known(self, file: Path, identity: Identity) -> str | None:
        """The SHA-256 of this very file, if it was read here; None when it would have to be read."""
        for found in (self._latest.get(str(file)), self._known.get(str(file))):
            if found is not None and found[0] == identity:
                return found[1]
        return None

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
                self._latest[str(file)] = (before, found)
                self._remember(str(file), before, found)
                return found
        raise UnavailableError(
            f"The data source {file} has no version.",
            why=f"it changed {ATTEMPTS} times while it was read.",
            remedy="Wait until it is written; replace data files by a rename (mv), never in place.",
        )

    def _remember(self, path: str, identity: Identity, found: str) -> None:
        if time.time_ns() - max(identity[3:]) < SETTLED_NS:
            return
        with self._guard:
            self._known[path] = (identity, found)
            both = {**_read(self._memory), **self._known}  # what other processes of the node have read stays
            kept = {name: [*known, digest] for name, (known, digest) in both.items()}
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
