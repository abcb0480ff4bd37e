"""Versions of data sources: what their files hold now, as a port."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class DataVersions(Protocol):
    """Hashes files, each once for as long as it does not change."""

    def of(self, file: Path) -> str | None:
        """The SHA-256 of a file, 64 hex digits; None when there is no such file.

        Raises `UnavailableError` when it cannot be read, or changes again and again while it is.
        """
        ...
