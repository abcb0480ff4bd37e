"""A Job that this process looks after, from its creation to its end, and what is said of it then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phems.adapters.kubernetes.api import Object
from phems.adapters.kubernetes.job_creation import Manifest
from phems.adapters.kubernetes.pod_ends import Hindrance, JobEnd
from phems.engine.host_connection import StepEnd
from phems.engine.step_queue import StepTask
from phems.engine.warm_pods import WaitingPod
from phems.errors import PhemsError

JOB_OF_POD = "batch.kubernetes.io/job-name"
KILLED = JobEnd(-15)
STOPPED = JobEnd(1, "The step's worker was stopped.", is_lost=True)


@dataclass(frozen=True)
class StepManifests:
    """What is created for an attempt, and for a warm pod: its Job, and for the uid of that its Secret."""

    job: Callable[[StepTask], Manifest]
    secret: Callable[[StepTask, str], Manifest]
    warm_job: Callable[[WaitingPod], Manifest]
    warm_secret: Callable[[WaitingPod, str], Manifest]


@dataclass
class RunningJob:
    """A Job between its start and its end. `uid` is its own, once it is there; `selector` finds it.

    A warm one has no run until an attempt is its own, and from then on a moment at which it is overdue.
    """

    on_end: Callable[[JobEnd], None]
    since: float
    selector: str
    run_id: str | None = None
    overdue_at: float | None = None
    uid: str | None = None
    was_seen: bool = False
    has_started: bool = False
    is_killed: bool = False
    is_judged: bool = False
    hindrance: Hindrance | None = None
    pods: dict[str, Object] = field(default_factory=dict)
    """Its pods by name, as they were last: one that is evicted is gone when its Job has failed."""

    def gone(self) -> JobEnd:
        """Its end when it is there no more."""
        if self.is_killed:
            return KILLED
        return JobEnd(1, "The step's Job was deleted from the cluster by somebody.", is_lost=True)


def selector_of(manifest: Manifest, label: str) -> str:
    """What lists the Jobs that have this label's value in common with a manifest."""
    return f"{label}={manifest['metadata']['labels'][label]}"


def step_end(task: StepTask, end: JobEnd) -> StepEnd:
    """The end of a Job as that of its attempt."""
    return StepEnd(
        task.project,
        task.run_id,
        task.step_key,
        task.attempt,
        status=end.status,
        is_lost=end.is_lost,
        note=end.note,
    )


def job_of_pod(pod: Mapping[str, Any]) -> str:
    """The name of the Job that a pod is of."""
    return str(pod["metadata"].get("labels", {}).get(JOB_OF_POD, ""))


def told(error: PhemsError) -> str:
    """An error in one line."""
    return " ".join(filter(None, (error.what, error.why, error.remedy)))
