"""A backup being made, as its use case sees it: parts that are copied in an order, and then published."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from phems.domain.backups import Manifest


class BackupMaking(Protocol):
    """One backup on its way. Until `publish` there is none; what is not published is removed."""

    def held(self) -> AbstractContextManager[None]:
        """No other backup and no purge meanwhile; leaving the block removes what was not published.

        ConflictError when one is under way.
        """
        ...

    def copy_checkpoints(self) -> None:
        """What vouches for the audit log."""
        ...

    def dump_database(self) -> None:
        """The database, as it is at one moment."""
        ...

    def copy_files(self, told: Callable[[int], None]) -> None:
        """All else; `told` hears how many files are copied so far."""
        ...

    def write_manifest(self, made_at: str) -> tuple[Manifest, str]:
        """What was copied, written down last; the SHA-256 of what is written."""
        ...

    def publish(self) -> None:
        """Make it a backup, durably, by one rename."""
        ...
