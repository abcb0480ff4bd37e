"""Output checks as the use cases see them: who runs them, and where the findings are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from phems.domain.output_checks import CheckedFile, CheckOrder, CheckReport

__all__ = ["CheckOrder", "CheckReport", "CheckedFile", "OutputCheckRunner", "OutputCheckStore"]


class OutputCheckRunner(Protocol):
    """Runs all checks in a process of their own: released files are hostile, and nobody else parses them."""

    @property
    def is_isolating(self) -> bool:
        """Whether a hostile file that takes a check over still reaches nothing."""
        ...

    def describe(self) -> str:
        """One line on where the checks run, for reports and refusals."""
        ...

    def run(self, order: CheckOrder) -> CheckReport:
        """The findings on every file of the order, in bounded time and memory.

        Never raises for what a file holds: a check that crashes, hangs or is killed gives `fail`,
        "could not be checked". Raises `UnavailableError` when no checks can be run at all.
        """
        ...


class OutputCheckStore(Protocol):
    """Keeps the findings on each turn of each request; they are never changed."""

    def save(self, request_id: str, turn: int, report: CheckReport) -> None:
        """Keep the report of a turn."""
        ...

    def of(self, request_id: str, turn: int) -> CheckReport | None:
        """The report of a turn; None for a request from before there were checks."""
        ...

    def of_many(self, turns: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], CheckReport]:
        """The reports of several turns, each named by its request and number; those there are."""
        ...
