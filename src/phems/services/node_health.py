"""The node's health: what runs, what waits, how much room there is, and what an operator should look at.

One account for `GET /api/status` and the page of operators; `phems status` shows the part of it that
the running node writes into a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from phems.errors import PhemsError
from phems.services.audit_anchors import Anchoring, AnchorState
from phems.services.lineage_events import TargetStanding, untaken
from phems.services.policies import Policies
from phems.services.ports.node_health import (
    DatabaseFacts,
    DatabaseServer,
    Disks,
    DiskSpace,
    NodeStatus,
    RunningNode,
)

STALE_SECONDS = 15.0
"""The running node says how it is every second: after this long it hangs, or its disk does."""
SHORT_SHARE = 0.05
SHORT_BYTES = 2 * 1024**3
"""Room is short when it is both a small part of the disk and little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPolicy:
    """A version of rules that node.yaml declares, and that is not in force."""

    scope: str
    number: int
    state: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The node's state at one moment."""

    node: str
    running: RunningNode | None
    database: DatabaseFacts | None
    database_error: str
    disks: Sequence[DiskSpace]
    versions: Mapping[str, str]
    policies_in_force: Mapping[str, str]
    """The labels of the versions in force, by project; of the node as a whole under the empty name."""
    policies_waiting: Sequence[WaitingPolicy]
    anchors: Sequence[AnchorState]
    warnings: Sequence[str]
    """What an operator should look at, worst first; empty when there is nothing."""


class NodeHealth:
    """Asks every part how it is. Who may ask is the caller's to check (`node.operate`)."""

    def __init__(
        self,
        node: str,
        *,
        status: NodeStatus,
        disks: Disks,
        database: DatabaseServer,
        policies: Policies,
        anchoring: Anchoring | None,
        lineage: Callable[[], Sequence[TargetStanding]],
        versions: Callable[[], Mapping[str, str]],
    ) -> None:
        self._node = node
        self._status = status
        self._disks = disks
        self._database = database
        self._policies = policies
        self._anchoring = anchoring
        self._lineage = lineage
        self._versions = versions

    def now(self) -> Health:
        """How the node is now. What cannot be found out is said, and keeps nothing else from being told."""
        running = self._status.running()
        disks = self._disks.space()
        database, error = self._ask_database()
        in_force, waiting, anchors = self._ask_governance() if database is not None else ({}, (), ())
        return Health(
            node=self._node,
            running=running,
            database=database,
            database_error=error,
            disks=disks,
            versions=self._versions(),
            policies_in_force=in_force,
            policies_waiting=waiting,
            anchors=anchors,
            warnings=(
                *_of_process(running),
                *([f"Postgres cannot be reached: {error}"] if error else ()),
                *_of_disks(disks),
                *_of_anchors(anchors),
                *([] if database is None else self._of_lineage()),
                *(each.says for each in waiting),
            ),
        )

    def _of_lineage(self) -> list[str]:
        return [untaken(each.name, each.failure) for each in self._lineage() if each.failure]

    def _ask_database(self) -> tuple[DatabaseFacts | None, str]:
        try:
            return self._database.facts(), ""
        except PhemsError as error:
            return None, f"{error.what} {error.why}".strip()

    def _ask_governance(
        self,
    ) -> tuple[Mapping[str, str], Sequence[WaitingPolicy], Sequence[AnchorState]]:
        in_force = {scope: found.label for scope, found in self._policies.in_force().items()}
        waiting = [
            WaitingPolicy(scope=each.scope, number=each.number, state=each.state.value, says=each.as_text())
            for each in self._policies.waiting()
        ]
        return in_force, waiting, self._anchoring.states() if self._anchoring is not None else ()


def _of_process(running: RunningNode | None) -> list[str]:
    if running is None:
        return ["The node does not run: no run starts, and nothing is published."]
    warnings = [
        f"The {role.name} does not run: {role.error}" for role in running.roles if not role.is_running
    ]
    if running.age_seconds > STALE_SECONDS:
        warnings.append(f"The node last told how it is {running.age_seconds:.0f} seconds ago.")
    if not running.is_isolating:
        warnings.append(f"{running.sandbox}.")
    warnings += [
        f"The code of {host.project} does not run: see its error."
        for host in running.hosts
        if host.error and host.is_current
    ]
    return warnings


def _of_disks(disks: Sequence[DiskSpace]) -> list[str]:
    return [
        f"Room is short where {disk.place} lies: {disk.free_bytes / 1024**2:.0f} MiB are free."
        for disk in disks
        if disk.free_bytes < SHORT_BYTES and disk.free_bytes < disk.total_bytes * SHORT_SHARE
    ]


def _of_anchors(anchors: Sequence[AnchorState]) -> list[str]:
    return [f"The outside anchor {each.name} fails: {each.failure}" for each in anchors if each.failure]
