"""The engine's part of a worker process whose steps run in pods: a door that they reach, and who starts them.

It is `worker_plane` without hosts: definitions are loaded in the pods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from phems.contract.step_order import HostOrder
from phems.engine.attempts import Attempts
from phems.engine.counted_starter import CountedStarter
from phems.engine.doors import Door
from phems.engine.leases import WorkerLeases
from phems.engine.pod_worker import PodWorker, PodWorkerParts, StepJobs
from phems.engine.step_output import StepOutput
from phems.engine.step_runner import StepRunner
from phems.engine.traces import TracedStarter, Traces
from phems.engine.wall import Wall
from phems.engine.warm_pods import WarmJobs, WarmParts, WarmPods
from phems.engine.worker_plane import RunTexts, worker_instance


class ClosableJobs(StepJobs, WarmJobs, Protocol):
    """Jobs of a cluster that this process looks after."""

    def close(self) -> None:
        """End what still runs, as lost."""
        ...


@dataclass(frozen=True)
class PodPlaneParts:
    """The ports and settings of a worker that serves one project on a cluster."""

    wall: Wall
    door: Door
    jobs: ClosableJobs
    project: str
    asset_prefix: str
    concurrency: int
    most_output_bytes: int
    leases: WorkerLeases
    host_order: Callable[[str, str], HostOrder]
    verify: Callable[[str, str], None]
    warm: WarmParts
    traces: Traces | None = None


class PodPlane:
    """One project's steps on a cluster. `close` once."""

    def __init__(self, parts: PodPlaneParts) -> None:
        prefixes = {parts.project: parts.asset_prefix}
        self._jobs = parts.jobs
        attempts = Attempts()
        self.instance = worker_instance(parts.wall, prefixes)
        output = StepOutput(parts.wall.logs, parts.most_output_bytes)
        self._warm = WarmPods(parts.warm)
        worker = PodWorker(
            PodWorkerParts(parts.jobs, attempts, output, parts.host_order, parts.verify, self._warm)
        )
        starter = worker if parts.traces is None else TracedStarter(worker, parts.traces)
        self.counted = CountedStarter(starter, [parts.project])
        self.runner = StepRunner(parts.leases, self.counted, RunTexts(self.instance), parts.concurrency)
        self.storage_service = parts.wall.serve_behind(
            parts.door, self.instance, attempts, prefixes, pods=worker
        )
        self._warm.start()

    def serve(self, code_digest: str | None) -> None:
        """Have warm pods wait with this code; any other pod loads that of its own attempt."""
        self._warm.serve(code_digest)

    def forget_grants(self) -> None:
        """Nothing is kept: each pod is told of the data that is granted when it has its step."""

    def drain(self) -> None:
        """Begin nothing more, and let no pod wait; what runs goes on."""
        self.runner.close()
        self._warm.drain()

    def close(self) -> None:
        """End the steps that still run, and close the door."""
        self.drain()
        self._jobs.close()
        self._warm.close()
        self.storage_service.close()
