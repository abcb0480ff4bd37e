"""Registered outputs as the use cases see them, within one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from phems.domain.outputs import Output


class OutputStore(Protocol):
    """Keeps what runs registered; nothing is ever removed."""

    def add(self, output: Output) -> None:
        """Put one on record. The same path of the same run again stands in for the earlier one."""
        ...

    def of_run(self, project: str, run_id: str) -> Sequence[Output]:
        """The outputs of one run, the last of each path, by path."""
        ...

    def find(self, project: str, path: str) -> Output | None:
        """The output last registered under a path of the project's artifact area."""
        ...

    def with_digest(self, project: str, sha256: str) -> Sequence[Output]:
        """The outputs of a project that hold these bytes, the last of each run and path, oldest first."""
        ...

    def of_project(self, project: str, *, limit: int = 1000) -> Sequence[Output]:
        """The outputs of a project, the last of each run and path, newest first."""
        ...
