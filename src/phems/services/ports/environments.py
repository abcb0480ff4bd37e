"""Python environments of projects as the use cases see them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class ProjectEnvironments(Protocol):
    """Builds environments from the lock file `requirements` of a verified code revision in `code_dir`."""

    def build(self, code_dir: Path, requirements: str) -> bool:
        """Build it, whole or not at all; False when it is there already, and was verified. Idempotent.

        Raises `InputError` for a lock file that cannot be used, `UnavailableError` when packages or the disk
        cannot be reached, `IntegrityError` when what is there is not what was built.
        """
        ...

    def is_built(self, code_dir: Path, requirements: str) -> bool:
        """Whether it is there."""
        ...

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """What is built, by environment digest: files and bytes."""
        ...

    def remove(self, digest: str) -> None:
        """Remove the environments of an environment digest. Idempotent."""
        ...

    def keep_only(self, digests: frozenset[str]) -> list[str]:
        """Remove the environments of all other environment digests; gives their digests."""
        ...


class CodeInUse(Protocol):
    """Which code revisions runs on their way stand on."""

    def commits(self, project: str) -> frozenset[str]:
        """The first 12 characters of their commits."""
        ...
