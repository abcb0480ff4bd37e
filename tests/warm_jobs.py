"""Warm pods of a worker without a cluster: Jobs that are noted, and a wall at which their pods wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from tests.tls_wall import TlsWall

from phems.contract.capability import Capability
from phems.contract.step_order import HostOrder, ResourceLimits, StepOrder
from phems.engine._dagster import KnownExecutionState, serialize_value
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.warm_pods import WaitingPod, WarmParts, WarmPods

SECONDS = 120
KNOWN = serialize_value(KnownExecutionState())
LIMITS = ResourceLimits(memory=1 << 32, cpu_seconds=60, processes=100, file_size=1 << 30)
HOST = HostOrder(
    project="heart",
    location_name="heart",
    code_digest="d",
    module="waits",
    root="/nowhere",
    capability_file="",
    storage_socket="",
    code_server_socket="",
    artifact_dir="/nowhere",
    data_dir="/nowhere",
    sources={},
    limits=LIMITS,
    asset_prefix="heart",
)


class NotedJobs:
    """What was made, adopted and dismissed; each changes under `changed`."""

    def __init__(self) -> None:
        self.made: dict[str, WaitingPod] = {}
        self.adopted: dict[str, StepTask] = {}
        self.dismissed: list[str] = []
        self.ends: dict[str, Callable[[str], None]] = {}
        self.step_ends: dict[str, Callable[[StepEnd], None]] = {}
        self.adopts = True
        self.changed = threading.Condition()

    def keep(self, pod: WaitingPod, on_end: Callable[[str], None]) -> None:
        """See `WarmJobs`."""
        with self.changed:
            self.made[pod.name], self.ends[pod.name] = pod, on_end
            self.changed.notify_all()

    def adopt(self, name: str, task: StepTask, on_end: Callable[[StepEnd], None]) -> bool:
        """See `WarmJobs`."""
        with self.changed:
            if self.adopts:
                self.adopted[name], self.step_ends[name] = task, on_end
            return self.adopts

    def dismiss(self, name: str) -> None:
        """See `WarmJobs`."""
        with self.changed:
            self.dismissed.append(name)
            self.changed.notify_all()

    def until(self, holds: Callable[[NotedJobs], bool]) -> None:
        """Wait for it."""
        with self.changed:
            assert self.changed.wait_for(lambda: holds(self), SECONDS)


class Warm:
    """The warm pods of the project `heart`, at a wall; `host` is what its pods are told to load."""

    def __init__(self, wall: TlsWall, number: int = 1, host: HostOrder = HOST) -> None:
        self.wall, self.host, self.jobs = wall, host, NotedJobs()
        self.broken: list[Exception] = []
        """Raised, one each time, in the place of a verification."""
        self.now = 0.0  # sums of whole seconds are exact: no moment is missed by a rounding
        parts = WarmParts(
            jobs=self.jobs,
            project="heart",
            number=number,
            name_of=lambda made: f"warm-{made}",
            is_default_size=lambda step_key: step_key != "large",
            host_order=lambda _project, digest: replace(self.host, code_digest=digest),
            verify=self._verify,
            issue=lambda task: wall.authority.issue(self._step(task)),
        )
        self.pods = wall.warm = WarmPods(parts, lambda: self.now)
        self.pods.start()
        self.pods.serve("d")

    def capability(self, name: str, **changes: str) -> Capability:
        """What a pod is worth that waits."""
        pod = self.jobs.made[name]
        of = Capability("waiting", pod.project, time.monotonic() + 600, pod.code_digest, pod=name)
        return replace(of, **changes)

    def token(self, name: str, **changes: str) -> str:
        """The same, as it is shown."""
        return self.wall.authority.issue(self.capability(name, **changes))

    def task(self, step_key: str = "s", digest: str = "d") -> StepTask:
        """An attempt of a new run that is to be carried out."""
        run_id = self.wall.run("heart").run_id
        self.wall.attempts.begin(run_id, step_key, 1)
        return StepTask("heart", digest, run_id, step_key, 1)

    def order(self, task: StepTask) -> StepOrder:
        """Its order, as a worker writes it."""
        run = self.wall.instance.get_run_by_id(task.run_id)
        assert run is not None
        return StepOrder("", serialize_value(run), task.step_key, 1, KNOWN, f"{task.step_key}-1", LIMITS)

    def carry(self, task: StepTask, ends: Callable[[StepEnd], None] = lambda _end: None) -> bool:
        """Whether a pod that waits takes it."""
        return self.pods.carry(task, replace(self.host, code_digest="d"), self.order(task), ends)

    def carried(self, task: StepTask) -> None:
        """Have it taken, as soon as a pod waits."""
        self.until(lambda: self.carry(task))

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for it."""
        deadline, pause = time.monotonic() + SECONDS, threading.Event()
        while not holds():
            assert time.monotonic() < deadline, "it did not come to that"
            pause.wait(0.01)

    def _verify(self, _project: str, _digest: str) -> None:
        if self.broken:
            raise self.broken.pop()

    def later(self, seconds: float) -> None:
        """So much later: who waits for a moment looks whether it has come."""
        self.now += seconds
        with self.pods._changed:
            self.pods._changed.notify_all()

    def failures(self) -> int:
        """How many pods in a row had no step."""
        return self.pods._wanted.failures.count

    def _step(self, task: StepTask) -> Capability:
        named = {"run_id": task.run_id, "step_key": task.step_key, "attempt": task.attempt}
        return Capability("step", task.project, time.monotonic() + 600, task.code_digest, **named)
