"""What the node tells of its own state, as the use case sees it: its process, its disks, its database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRole:
    """One control role: a part of the node that must run, by the name it has in the architecture."""

    name: str
    pid: int
    is_running: bool
    error: str
    """Why it does not run, as far as it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectHost:
    """A project's host. `error` is text of project code: shown to operators, written down nowhere."""

    project: str
    code_digest: str
    state: str
    is_current: bool
    pid: int | None
    restarts: int
    running_steps: int
    load_seconds: float | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepQueueDepth:
    """A project's steps: how many wait for their turn, how many run."""

    project: str
    waiting: int
    running: int
    lag_seconds: float | None = None
    """How long the oldest has waited, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolWorker:
    """A worker process of the server profile: it performs one project's steps."""

    id: str
    pool: str
    project: str
    host: str
    pid: int
    concurrency: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningNode:
    """What the running node says of itself."""

    pid: int
    url: str
    sandbox: str
    is_isolating: bool
    """Whether project code runs behind a wall."""
    roles: Sequence[ControlRole]
    hosts: Sequence[ProjectHost]
    queues: Sequence[StepQueueDepth]
    workers: Sequence[PoolWorker]
    """Worker processes; none in the embedded profile, where steps run in the node's own."""
    runs: int
    """How many runs are being driven."""
    warnings: Sequence[str]
    age_seconds: float
    """How long ago it said so: it does every second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """Room on the disk where a part of the node lies."""

    place: str
    """What lies there, in words."""
    path: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The database server, as the node reaches it."""

    version: str
    size_bytes: int
    connections: int
    most_connections: int
    started_at: datetime


class NodeStatus(Protocol):
    """What the running node last said of itself."""

    def running(self) -> RunningNode | None:
        """None when no node runs."""
        ...


class Disks(Protocol):
    """The disks that the node writes to."""

    def space(self) -> Sequence[DiskSpace]:
        """One of each place; a place that is not there is left out."""
        ...


class DatabaseServer(Protocol):
    """The database server."""

    def facts(self) -> DatabaseFacts:
        """UnavailableError when it cannot be reached."""
        ...
