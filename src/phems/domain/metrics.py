"""The numbers that a node tells of itself, in one table: /metrics, alerts, dashboard and reference go by it.

No label holds a text of a person, of project code or of data: each is from a list that this program holds
(routes, fields, kinds, states), or the name of a project, an anchor or a limit in node.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Role = Literal["control", "worker"]
ALL: tuple[Role, ...] = ("control", "worker")
PREFIX = "phems_"
_PROJECT_STATE = ("project", "state")


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, or one for each of its labels' values."""

    name: str
    """Without `phems_` before it and, of a counter, `_total` behind it."""
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    by: tuple[Role, ...] = ("control",)
    """Which processes tell it."""

    @property
    def full_name(self) -> str:
        """As Prometheus names what it asks for: of a histogram, its count."""
        return PREFIX + self.name + {"counter": "_total", "histogram": "_count"}.get(self.kind, "")


_TABLE = (
    # The gateway
    Metric("http_requests", "counter", "Requests, by route and status.", ("method", "route", "status")),
    Metric("http_request_seconds", "histogram", "From the request to the end of its answer.", ("route",)),
    Metric("http_requests_open", "gauge", "Requests that wait for their answer."),
    Metric("websockets_open", "gauge", "WebSockets that are open."),
    Metric("refusals", "counter", "Requests that were refused, by kind.", ("kind",)),
    Metric("sign_ins", "counter", "Tries to sign in.", ("result",)),
    Metric("sessions_open", "gauge", "Sessions of people that are open."),
    Metric(
        "graphql_fields",
        "counter",
        "Root fields of GraphQL that were asked for, by their name in the schema.",
        ("operation", "field", "result"),
    ),
    Metric("rate_limited", "counter", "Requests over a rate limit, by its key in node.yaml.", ("limit",)),
    Metric("rate_limit_windows", "gauge", "Windows of the rate limits in memory."),
    Metric("rate_limit_times", "gauge", "Times in those windows."),
    Metric("connections_open", "gauge", "Connections that are open."),
    Metric("connections_closed", "counter", "Connections that the gateway closed, by why.", ("why",)),
    # The node
    Metric("build_info", "gauge", "The version of the node.", ("version",), ALL),
    Metric("ready", "gauge", "Whether a part can do its work: 1 or 0.", ("part",)),
    Metric("leading", "gauge", "Whether this process drives the runs: 1 or 0."),
    Metric("disk_bytes", "gauge", "Size of the disk where something lies.", ("disk",)),
    Metric("disk_free_bytes", "gauge", "What is free of it.", ("disk",)),
    # The audit log
    Metric("audit_entries", "gauge", "Entries of the audit log."),
    Metric(
        "audit_unsigned_entries",
        "gauge",
        "Entries that no signed checkpoint covers: none for longer than a moment.",
    ),
    Metric("audit_unanchored_entries", "gauge", "Entries that an outside anchor has not.", ("anchor",)),
    # Runs, and who lets them start
    Metric(
        "admissions",
        "counter",
        "Runs that admission let pass or refused: when they were asked for, started, or gone on with.",
        ("at", "result"),
    ),
    Metric("runs", "gauge", "Runs that have not ended, by Dagster's word for their state.", _PROJECT_STATE),
    Metric("runs_driven", "gauge", "Runs that this process drives."),
    Metric("runs_ended", "counter", "Runs that this process drove to their end.", ("project", "result")),
    # Steps
    Metric("steps_waiting", "gauge", "Steps in a project's queue.", ("project",)),
    Metric("steps_running", "gauge", "Steps that run.", ("project",)),
    Metric("step_attempts_ended", "counter", "Attempts at steps that have ended.", ("project", "result")),
    Metric(
        "worker_steps_running", "gauge", "Attempts that this worker performs.", ("project",), by=("worker",)
    ),
    Metric(
        "worker_steps_ended",
        "counter",
        "Attempts whose process or pod has ended; whether the step succeeded is in the run's log.",
        ("project", "result"),
        by=("worker",),
    ),
    Metric("worker_step_seconds", "counter", "How long those took in all.", ("project",), by=("worker",)),
    # Hosts, and what they ask
    Metric("hosts", "gauge", "Project hosts of this process by state.", ("state",), ALL),
    Metric(
        "storage_calls",
        "counter",
        "Calls of this process's storage service by project code.",
        ("method", "result"),
        ALL,
    ),
    # What waits for people
    Metric("code_revisions", "gauge", "Code revisions by state.", _PROJECT_STATE),
    Metric(
        "code_revisions_oldest_seconds",
        "gauge",
        "Since the longest waiting of the code revisions that nobody has decided on was submitted.",
        ("project",),
    ),
    Metric("notifications", "gauge", "Notifications by state, where node.yaml has any.", ("state",)),
    Metric(
        "lineage_events_waiting",
        "gauge",
        "Lineage events that a place in node.yaml has not been told yet.",
        ("target",),
    ),
    Metric("lineage_failing", "gauge", "Whether it took none when last tried: 1 or 0.", ("target",)),
    Metric("release_requests", "gauge", "Release requests by state.", _PROJECT_STATE),
    Metric(
        "release_requests_oldest_seconds",
        "gauge",
        "Since the longest waiting of the release requests that are in review was made.",
        ("project",),
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _TABLE}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one of the metrics is now, by labels."""

    name: str
    values: Sequence[tuple[Mapping[str, str], float]]

    @property
    def metric(self) -> Metric:
        """Its row in the table."""
        return METRICS[self.name]


def pairs(
    counts: Mapping[tuple[str, str], int], first: str, second: str
) -> list[tuple[Mapping[str, str], float]]:
    """What was counted by two labels, in order."""
    return [({first: one, second: other}, count) for (one, other), count in sorted(counts.items())]
