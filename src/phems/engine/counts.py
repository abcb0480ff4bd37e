"""What the engine counts in this process since it began: admissions, and how runs and steps ended."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import product
from typing import Literal, get_args

AdmittedAt = Literal["submit", "launch", "resume"]
Verdict = Literal["admitted", "refused"]
RunResult = Literal["success", "failure", "canceled"]
AttemptResult = Literal["success", "failure", "retry", "lost"]


class Counts:
    """One counter for each pair of labels; from any thread."""

    def __init__(self, labels: Iterable[str], results: Iterable[str]) -> None:
        # From nought: of a counter that comes up as 1 Prometheus sees no increase.
        self._counts = Counter(dict.fromkeys(product(labels, results), 0))
        self._lock = threading.Lock()

    def add(self, label: str, result: str) -> None:
        """One more."""
        with self._lock:
            self._counts[label, result] += 1

    def read(self) -> Mapping[tuple[str, str], int]:
        """All of them as they are now."""
        with self._lock:
            return dict(self._counts)


class EngineCounts:
    """The engine's counters of one process."""

    def __init__(self, projects: Collection[str] = ()) -> None:
        self.admissions = Counts(get_args(AdmittedAt), get_args(Verdict))
        self.runs = Counts(projects, get_args(RunResult))
        self.attempts = Counts(projects, get_args(AttemptResult))

    def admission(self, at: AdmittedAt, verdict: Verdict) -> None:
        """Admission has spoken on a run."""
        self.admissions.add(at, verdict)

    def run_ended(self, project: str, result: RunResult) -> None:
        """A run was driven to its end."""
        self.runs.add(project, result)

    def attempt_ended(self, project: str, result: AttemptResult) -> None:
        """An attempt at a step has ended."""
        self.attempts.add(project, result)
