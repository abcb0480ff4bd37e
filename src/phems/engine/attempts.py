"""The step attempts that are alive now: who may speak for a step, and until when."""

from __future__ import annotations

import threading


class Attempts:
    """A set of live (run, step, attempt); safe to use from several threads."""

    def __init__(self) -> None:
        self._live: set[tuple[str, str, int]] = set()
        self._lock = threading.Lock()

    def begin(self, run_id: str, step_key: str, attempt: int) -> None:
        """The attempt may speak from now on."""
        with self._lock:
            self._live.add((run_id, step_key, attempt))

    def end(self, run_id: str, step_key: str, attempt: int) -> None:
        """The attempt may not speak any more; ending twice is no error."""
        with self._lock:
            self._live.discard((run_id, step_key, attempt))

    def is_live(self, run_id: str, step_key: str, attempt: int) -> bool:
        """Whether the attempt may speak."""
        return (run_id, step_key, attempt) in self._live

    def of_run(self, run_id: str) -> list[tuple[str, str, int]]:
        """The live attempts of a run."""
        with self._lock:
            return sorted(attempt for attempt in self._live if attempt[0] == run_id)
