"""The worker whose steps run in pods: has a Job made for each attempt, and keeps its order.

It starts and kills as `engine.worker.Worker` does. A pod comes with nothing but its capability: what it is to
do is told over the wall, to who shows that, for as long as the attempt lives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from phems.contract.capability import Capability
from phems.contract.step_order import HostOrder, StepOrder
from phems.domain.warm_pods import MOST_SECONDS
from phems.engine.attempts import Attempts
from phems.engine.capabilities import STEP_SECONDS, CapabilityAuthority
from phems.engine.counted_starter import told_seconds
from phems.engine.host_connection import StepEnd
from phems.engine.step_output import StepOutput
from phems.engine.step_queue import StepTask
from phems.engine.warm_pods import WaitingPod, WarmPods
from phems.engine.worker import log_file_key
from phems.errors import ConflictError, PhemsError


class StepJobs(Protocol):
    """Runs attempts as Jobs of a cluster."""

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """Have the attempt's Job made; always True. `on_end` is called once, whatever becomes of it."""
        ...

    def kill_run(self, run_id: str) -> None:
        """Delete the Jobs of a run with their pods."""
        ...


class PodCapabilities:
    """Issues what a pod shows, an attempt's or a warm one; either starts within `pending_seconds`."""

    def __init__(self, authority: CapabilityAuthority, pending_seconds: float) -> None:
        self._authority = authority
        self._seconds = pending_seconds + STEP_SECONDS
        self._warm_seconds = pending_seconds + MOST_SECONDS

    def issue(self, task: StepTask) -> str:
        """The token; from its first use on it is renewed as any other."""
        return self._authority.issue(
            Capability(
                kind="step",
                project=task.project,
                expires_at=self._authority.expiry(self._seconds),
                code_digest=task.code_digest,
                run_id=task.run_id,
                step_key=task.step_key,
                attempt=task.attempt,
            )
        )

    def issue_waiting(self, pod: WaitingPod) -> str:
        """The token of a pod that waits; it is not renewed, as the pod is not."""
        return self._authority.issue(
            Capability(
                kind="waiting",
                project=pod.project,
                expires_at=self._authority.expiry(self._warm_seconds),
                code_digest=pod.code_digest,
                pod=pod.name,
            )
        )


@dataclass(frozen=True)
class PodWorkerParts:
    """What it stands on. `host_order` and `verify` are by project and code digest."""

    jobs: StepJobs
    attempts: Attempts
    output: StepOutput
    host_order: Callable[[str, str], HostOrder]
    verify: Callable[[str, str], None]
    """Raises for code that is not what was approved."""
    warm: WarmPods


class PodWorker:
    """Runs step attempts in pods."""

    def __init__(self, parts: PodWorkerParts) -> None:
        self._parts = parts
        self._details: dict[tuple[str, str, int], tuple[str, str]] = {}
        self._orders: dict[tuple[str, str, int], Mapping[str, str]] = {}
        self._pods: dict[tuple[str, str, int], str] = {}
        self._used: dict[tuple[str, str, int], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def expect(self, task: StepTask, run: str, known_state: str) -> None:
        """Keep what a task needs beside its name, until it starts."""
        with self._lock:
            self._details[task.key] = (run, known_state)

    def start(self, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """Start one attempt; always True. See `StartTask`."""
        with self._lock:
            details = self._details.pop(task.key, None)
        if details is None:
            on_end(_never_started(task, "The step was started before, or its run was cancelled."))
            return True
        try:
            self._parts.verify(task.project, task.code_digest)
            host = self._parts.host_order(task.project, task.code_digest)
        except PhemsError as error:
            on_end(_never_started(task, f"The step could not be started. {error}"))
            return True
        run, known_state = details
        step = StepOrder(
            capability="",  # it has come with its own
            run=run,
            step_key=task.step_key,
            attempt=task.attempt,
            known_state=known_state,
            log_file_key=log_file_key(task.step_key, task.attempt),
            limits=host.limits,
        )
        self._parts.attempts.begin(*task.key)

        def ended(end: StepEnd) -> None:
            self._ended(task, end, on_end)

        if self._parts.warm.carry(task, host, step, ended):
            return True
        with self._lock:
            self._orders[task.key] = {"host": host.to_json(), "step": step.to_json()}
        return self._parts.jobs.start(task, ended)

    def kill_run(self, run_id: str) -> None:
        """End a run's steps: their pods are told, and killed when their grace is over."""
        self._parts.jobs.kill_run(run_id)

    def order_of(self, capability: Capability, pod: str) -> Mapping[str, str] | None:
        """See `StepsInPods`."""
        if capability.kind == "waiting":
            return self._parts.warm.what_to_load(capability, pod)
        key = (capability.run_id or "", capability.step_key or "", capability.attempt or 0)
        with self._lock:
            order = self._orders.get(key)
            if order is not None and self._pods.setdefault(key, pod) != pod:
                raise ConflictError("Another pod has the order of this attempt.")
            return order

    def next_of(self, capability: Capability, pod: str) -> Mapping[str, str] | None:
        """See `StepsInPods`."""
        return self._parts.warm.next_step(capability, pod)

    def awaits(self, capability: Capability) -> bool:
        """See `StepsInPods`."""
        return self._parts.warm.awaits(capability)

    def hear(self, capability: Capability, stream: object, said: object) -> None:
        """See `StepsInPods`."""
        self._parts.output.hear(capability, stream, said)

    def use(self, capability: Capability, cpu_seconds: float, max_rss_kib: int) -> None:
        """See `StepsInPods`."""
        key = (capability.run_id or "", capability.step_key or "", capability.attempt or 0)
        with self._lock:
            self._used[key] = (told_seconds(cpu_seconds), max_rss_kib)

    def _ended(self, task: StepTask, end: StepEnd, on_end: Callable[[StepEnd], None]) -> None:
        self._parts.attempts.end(*task.key)
        with self._lock:
            self._orders.pop(task.key, None)
            self._pods.pop(task.key, None)
            cpu_seconds, max_rss_kib = self._used.pop(task.key, (end.cpu_seconds, end.max_rss_kib))
        self._parts.output.ended(task)
        on_end(replace(end, cpu_seconds=cpu_seconds, max_rss_kib=max_rss_kib))


def _never_started(task: StepTask, note: str) -> StepEnd:
    return StepEnd(task.project, task.run_id, task.step_key, task.attempt, status=1, is_lost=False, note=note)
