"""What the gateway answers about runs, as plain dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PARTITION_TAG = "dagster/partition"
LOCATION_TAG = "dagster/code_location"
_DAGSTER_FRAMES = "/site-packages/dagster"
ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


@dataclass(frozen=True, slots=True)
class Run:
    """One run as people see it."""

    id: str
    project: str | None
    job: str
    status: str
    requester: str | None
    code_revision: str | None
    partition: str | None
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    tags: Mapping[str, str]
    capsule: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run; `status` is None until it starts."""

    key: str
    status: str | None
    attempts: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run's log. `details` is the failure's messages and stack, if it tells one."""

    at: datetime
    level: str
    step: str | None
    type: str
    message: str
    details: str = ""
    captured: str | None = None
    """Under which name a step's printed output is kept, in the event that tells it."""

    @property
    def first_line(self) -> str:
        """The innermost message of a failure."""
        return self.details.partition("\n")[0] or self.message


@dataclass(frozen=True, slots=True)
class Page:
    """What is new of a run: its status at the time, its events; on the first page its planned steps."""

    status: str
    events: Sequence[Event]
    planned_steps: int
    cursor: str | None
    has_more: bool


def run_of(told: Mapping[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in told["tags"]}
    started, ended = told["startTime"], told["endTime"]
    return Run(
        id=told["runId"],
        project=tags.get("phems/project") or tags.get(LOCATION_TAG),
        job=told["jobName"],
        status=told["status"],
        requester=tags.get("phems/requester"),
        code_revision=tags.get("phems/code_revision"),
        capsule=tags.get("phems/capsule"),
        partition=tags.get(PARTITION_TAG),
        created_at=_time(told["creationTime"]),
        started_at=_time(started),
        ended_at=_time(ended),
        seconds=_seconds(started, ended),
        tags=tags,
    )


def step_of(key: str, stat: Mapping[str, Any] | None) -> Step:
    if stat is None:
        return Step(key, None, 0, None)
    seconds = _seconds(stat["startTime"], stat["endTime"])
    return Step(key, stat["status"], max(1, len(stat["attempts"])), seconds)


def event_of(told: Mapping[str, Any]) -> Event:
    return Event(
        at=datetime.fromtimestamp(int(told["timestamp"]) / 1000, UTC),
        level=told["level"],
        step=told["stepKey"],
        type=told["eventType"] or "LOG",
        message=(told["message"] or "").strip(),
        details=_details(told.get("error")),
        captured=told.get("fileKey"),
    )


def _details(error: Mapping[str, Any] | None) -> str:
    """The innermost failure first: it is the one that project code raised."""
    chain = []
    while error:
        chain.append(error)
        error = error.get("cause")
    if not chain:
        return ""
    *around, innermost = chain
    # Its frames alone, and of those not Dagster's own: what is left is the author's.
    frames = [frame for frame in innermost["stack"] or () if _DAGSTER_FRAMES not in frame]
    messages = [(each["message"] or "").strip() for each in reversed(around)]
    text = "\n".join([(innermost["message"] or "").strip(), "".join(frames).rstrip(), *messages])
    return "\n".join(line for line in text.splitlines() if line.strip())


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)


def _seconds(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 3)
