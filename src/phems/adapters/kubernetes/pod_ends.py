"""Why a step's pod ended, or does not start, in words for the run: tables over what the cluster says.

Nothing here comes from project code: the text that a container may leave for whoever looks at its pod
is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phems.contract.pod import MEANINGS

_SIGNALS_FROM = 128
_SHOWN = 200


@dataclass(frozen=True)
class JobEnd:
    """How a Job ended. `is_lost`: through no fault of the step, so that it may be tried again."""

    status: int
    note: str = ""
    is_lost: bool = False


@dataclass(frozen=True)
class Hindrance:
    """Why a pod does not start; `is_final` when waiting would not help."""

    note: str
    is_final: bool = False


WAITING: Mapping[str, tuple[str, bool]] = {
    "ErrImagePull": ("its image cannot be fetched", False),
    "ImagePullBackOff": ("its image cannot be fetched", False),
    "RegistryUnavailable": ("the registry of its image cannot be reached", False),
    "ImageInspectError": ("its image cannot be read", False),
    "InvalidImageName": ("its image has a name that the cluster does not take", True),
    "ErrImageNeverPull": ("its image is not there, and may not be fetched", True),
    "SignatureValidationFailed": ("the signature of its image does not hold", True),
    "CreateContainerConfigError": ("its container cannot be set up", False),
    "CreateContainerError": ("its container cannot be created", False),
    "RunContainerError": ("its container cannot be started", False),
}
"""A container's reason for waiting: what to say, and whether that is final."""

DISRUPTIONS: Mapping[str, str] = {
    "PreemptionByScheduler": "made room for one of higher priority",
    "DeletionByTaintManager": "was taken from a machine that is not to be used",
    "EvictionByEvictionAPI": "was taken from a machine that is being emptied",
    "DeletionByPodGC": "was on a machine that is gone",
    "TerminationByKubelet": "was ended by its machine, which is short of something or shuts down",
}
"""Reasons of the condition DisruptionTarget: none is the step's fault."""

OWN_EVICTIONS: Sequence[tuple[str, str]] = (
    ("emptydir", "It wrote more to /tmp than it may (kubernetes.sizes, tmp)."),
    (
        "ephemeral",
        "It wrote more to its disk than it may (kubernetes.sizes, limits.ephemeral_storage).",
    ),
)
"""What an eviction's message has, in small letters, when it is the pod's own doing; "low on" never is."""

JOB_REASONS: Mapping[str, str] = {
    "DeadlineExceeded": "The step took longer than it may (kubernetes.active_deadline_seconds).",
}


def end_of(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> JobEnd | None:
    """How a Job ended, as it and its pods say; None while it goes on."""
    conditions = {each["type"]: each for each in _conditions(job) if each.get("status") == "True"}
    if "Complete" in conditions:
        return JobEnd(0)
    failed = conditions.get("Failed")
    if failed is None:
        return None
    if (note := JOB_REASONS.get(failed.get("reason", ""))) is not None:
        return JobEnd(1, note)
    for pod in pods:
        if (end := _end_of_pod(job, pod)) is not None:
            return end
    return JobEnd(
        1,
        f"The step's Job failed ({failed.get('reason', 'no reason')}), and its pod is gone.",
        is_lost=True,
    )


def hindrance_of(pod: Mapping[str, Any]) -> Hindrance | None:
    """Why a pod does not start; None when it has, or when nothing is known to hinder it."""
    status = pod.get("status", {})
    for container in status.get("containerStatuses") or ():
        waiting = container.get("state", {}).get("waiting", {})
        if (known := WAITING.get(waiting.get("reason", ""))) is not None:
            told = f": {waiting['message'][:_SHOWN]}" if waiting.get("message") else ""
            return Hindrance(f"The step's pod does not start: {known[0]}{told}", known[1])
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            message = condition.get("message", "")[:_SHOWN]
            return Hindrance(f"No machine of the cluster can take the step's pod: {message}")
    return None


def _end_of_pod(job: Mapping[str, Any], pod: Mapping[str, Any]) -> JobEnd | None:
    status = pod.get("status", {})
    if status.get("reason") == "Evicted":
        return _eviction(status.get("message", ""))
    for condition in _conditions(pod):
        if condition["type"] == "DisruptionTarget" and condition.get("status") == "True":
            told = DISRUPTIONS.get(condition.get("reason", ""), "was taken away by the cluster")
            return JobEnd(1, f"The step's pod {told}.", is_lost=True)
    for container in status.get("containerStatuses") or ():
        ended = container.get("state", {}).get("terminated")
        if ended is not None and ended.get("exitCode") != 0:
            return _exit(job, ended)
    return None


def _exit(job: Mapping[str, Any], ended: Mapping[str, Any]) -> JobEnd:
    code = int(ended["exitCode"])
    status = -(code - _SIGNALS_FROM) if code > _SIGNALS_FROM else code
    if ended.get("reason") == "OOMKilled":
        (container,) = job["spec"]["template"]["spec"]["containers"]
        limit = container["resources"]["limits"]["memory"]
        return JobEnd(status, f"The step used more memory than it may ({limit}) and was killed (OOMKilled).")
    if ended.get("reason") in {"StartError", "ContainerCannotRun"}:
        return JobEnd(status, "The step's container could not be started: see the image of the project.")
    return JobEnd(status, MEANINGS.get(code, ""))


def _eviction(message: str) -> JobEnd:
    words = message.lower()
    for part, told in OWN_EVICTIONS:
        if part in words and "low on" not in words:
            return JobEnd(1, f"The step's pod was evicted. {told}")
    return JobEnd(1, f"The step's pod was evicted. {message[:_SHOWN]}", is_lost=True)


def _conditions(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from found.get("status", {}).get("conditions") or ()
