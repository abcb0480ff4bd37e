"""The worker: takes a task, writes its order, and has the project's host fork a process for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phems.contract.capability import Capability
from phems.contract.step_order import ResourceLimits, StepOrder
from phems.engine.attempts import Attempts
from phems.engine.capabilities import STEP_SECONDS, CapabilityAuthority
from phems.engine.host_connection import HostConnection, StepEnd, StepProcess
from phems.engine.hosts import HostPool, HostState
from phems.engine.run_data import RunData, Shown
from phems.engine.step_queue import StepTask
from phems.errors import RefusedError, UnavailableError

_LOG = logging.getLogger("phems.worker")
_NO_PLACE = (
    "The step was not started: what it prints could not be kept in {folder} ({why}). "
    "The node's operator makes room (df -h) or the folder writable; then run it again."
)
_CHANGED = (
    "Data was changed in place while this step ran: {sources}. It may have read some of what the capsule "
    "names and some of what is there now. Replace data files by a rename (mv), and launch the job again."
)
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


@dataclass(frozen=True)
class WorkerParts:
    """What a worker stands on. `limits(project)` comes from the node spec, never from a message."""

    hosts: HostPool
    data: RunData
    authority: CapabilityAuthority
    attempts: Attempts
    limits: Callable[[str], ResourceLimits]
    log_folder: Path
    tell: Callable[[StepTask, str], None]
    """Puts a sentence about a step into its run's log."""


class Worker:
    """Runs step attempts of this process's hosts."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._details: dict[tuple[str, str, int], tuple[str, str]] = {}
        self._lock = threading.Lock()

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """Keep what a task needs beside its name, until it starts."""
        with self._lock:
            self._details[task.run_id, task.step_key, task.attempt] = (run, known_state)

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """Start one attempt; False when the host is not ready yet, or its data not known. See `StartTask`."""
        shown = self._parts.data.shown(task.project)
        try:
            connection = self._place(task, shown)
        except RefusedError as refusal:
            self._forget(task)
            on_end(_never_started(task, str(refusal)))
            return True
        if connection is None:
            return False
        key = (task.run_id, task.step_key, task.attempt)
        with self._lock:
            details = self._details.get(key)
        if details is None:
            on_end(_never_started(task, "The step was started before, or its run was cancelled."))
            return True
        log_key = log_file_key(task.step_key, task.attempt)
        folder = self._parts.log_folder / task.run_id / "compute_logs"
        self._parts.attempts.begin(*key)
        step = StepProcess(
            project=task.project,
            run_id=task.run_id,
            step_key=task.step_key,
            attempt=task.attempt,
            order=self._order(task, *details, log_key),
            stdout=folder / f"{log_key}.out",
            stderr=folder / f"{log_key}.err",
            on_end=lambda end: self._ended(task, shown, folder / f"{log_key}.complete", end, on_end),
        )
        try:
            connection.start_step(step)
        except UnavailableError:
            self._parts.attempts.end(*key)
            return False
        except OSError as error:
            self._parts.attempts.end(*key)
            self._forget(task)
            on_end(_never_started(task, _NO_PLACE.format(folder=folder, why=error.strerror or error)))
        return True

    def _place(self, task: StepTask, shown: Shown) -> HostConnection | None:
        """A host that shows this data, which the run was admitted with; None while there is none."""
        if not self._parts.data.is_as_admitted(task, shown):
            return None
        host = self._parts.hosts.ensure(task.project, task.code_digest, shown)
        if host.state is HostState.FAILED:
            raise RefusedError(f"The step could not be started. {host.error}")
        return host.connection

    def kill_run(self, run_id: str) -> None:
        """End the process trees of a run's steps: politely, and a second later for good."""
        for connection in self._parts.hosts.connections():
            connection.kill_run(run_id, force=False)

    def _order(self, task: StepTask, run: str, known_state: str, log_key: str) -> StepOrder:
        authority = self._parts.authority
        capability = Capability(
            kind="step",
            project=task.project,
            expires_at=authority.expiry(STEP_SECONDS),
            code_digest=task.code_digest,
            run_id=task.run_id,
            step_key=task.step_key,
            attempt=task.attempt,
        )
        return StepOrder(
            capability=authority.issue(capability),
            run=run,
            step_key=task.step_key,
            attempt=task.attempt,
            known_state=known_state,
            log_file_key=log_key,
            limits=self._parts.limits(task.project),
        )

    def _ended(
        self, task: StepTask, shown: Shown, marker: Path, end: StepEnd, on_end: Callable[[StepEnd], None]
    ) -> None:
        self._parts.attempts.end(task.run_id, task.step_key, task.attempt)
        self._forget(task)
        try:
            if changed := self._parts.data.changed_since(task.project, shown):
                self._parts.tell(task, _CHANGED.format(sources=", ".join(changed)))
        except Exception:  # noqa: BLE001 - the step has ended, whether this can be found and told or not
            _LOG.warning("it could not be told whether data of run %s was changed in place", task.run_id)
        try:
            marker.touch()
        except OSError as error:  # what the step said is less than how it ended
            _LOG.warning("%s could not be made (%s)", marker, error.strerror)
        on_end(end)
        self._parts.hosts.step_ended(end)

    def _forget(self, task: StepTask) -> None:
        with self._lock:
            self._details.pop((task.run_id, task.step_key, task.attempt), None)


def log_file_key(step_key: str, attempt: int) -> str:
    """A file name for an attempt's output: the step's name, made harmless, and the attempt."""
    safe = "".join(char if char in _SAFE else "_" for char in step_key).lstrip(".")
    return f"{safe[:120]}-{attempt}"


def _never_started(task: StepTask, note: str) -> StepEnd:
    return StepEnd(task.project, task.run_id, task.step_key, task.attempt, status=1, is_lost=False, note=note)
