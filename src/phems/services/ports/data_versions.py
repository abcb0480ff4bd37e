"""Versions of data sources: what their files hold now, as a port."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

Identity = tuple[int, ...]
"""What tells a file from every other, and from itself once it was changed."""


class DataVersions(Protocol):
    """Hashes files, each once for as long as it does not change."""

    def of(self, file: Path) -> str | None:
        """The SHA-256 of a file, 64 hex digits; None when there is no such file.

        Raises `UnavailableError` when it cannot be read, or changes again and again while it is.
        """
        ...

    def identity(self, file: Path) -> Identity | None:
        """Which file this is now: device and inode, then what a change of it changes; None for no file.

        It costs a `stat`. Raises `UnavailableError` when the file cannot be looked at.
        """
        ...

    def known(self, file: Path, identity: Identity) -> str | None:
        """The SHA-256 of this very file, if it was asked for before; None when it would have to be read."""
        ...
