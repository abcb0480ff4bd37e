"""What a process on the control side needs to have projects behind the wall: the one door, and hosts.

The control process has it for code servers, a worker process for steps; both make the same parts of it. A
worker whose steps run in pods has a door and no hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phems.engine._dagster import (
    EventLogStorage,
    QueuedRunCoordinator,
    RunLauncher,
    RunStorage,
    ScheduleStorage,
)
from phems.engine.attempts import Attempts
from phems.engine.capabilities import CapabilityAuthority
from phems.engine.doors import Door, UnixDoor
from phems.engine.hosts import HostPool
from phems.engine.instance import NodeInstance
from phems.engine.mlflow_calls import StepsMlflow
from phems.engine.run_data import ProjectData
from phems.engine.sandbox import HostPlan, SandboxLauncher
from phems.engine.storage_service import (
    OutputRegister,
    RefusalAudit,
    ServiceParts,
    StepsInPods,
    StorageService,
    ValueStore,
)


@dataclass(frozen=True, kw_only=True)
class Wall:
    """The ports and folders that a process's storage service stands on."""

    runs: RunStorage
    events: EventLogStorage
    schedules: ScheduleStorage
    authority: CapabilityAuthority
    register_output: OutputRegister
    audit_refusal: RefusalAudit
    home: Path
    logs: Path
    values: ValueStore | None = None
    mlflow: StepsMlflow | None = None

    def make_instance(
        self,
        run_coordinator: QueuedRunCoordinator[Any],
        run_launcher: RunLauncher[Any],
        asset_prefixes: Mapping[str, str],
    ) -> NodeInstance:
        """This process's Dagster instance; `asset_prefixes` by project."""
        return NodeInstance(
            run_storage=self.runs,
            event_storage=self.events,
            schedule_storage=self.schedules,
            run_coordinator=run_coordinator,
            run_launcher=run_launcher,
            projects_by_prefix={prefix: project for project, prefix in asset_prefixes.items()},
            home=self.home,
            logs=self.logs,
        )

    def serve_behind(
        self,
        door: Door,
        instance: NodeInstance,
        attempts: Attempts,
        asset_prefixes: Mapping[str, str],
        *,
        host_is_live: Callable[[str, str], bool] = lambda _project, _code_digest: False,
        pods: StepsInPods | None = None,
    ) -> StorageService:
        """The storage service behind a door, serving; without hosts, no location's capability is taken."""
        return StorageService(
            door,
            ServiceParts(
                instance=instance,
                authority=self.authority,
                attempts=attempts,
                asset_prefixes=asset_prefixes.__getitem__,
                host_is_live=host_is_live,
                register_output=self.register_output,
                audit_refusal=self.audit_refusal,
                values=self.values,
                pods=pods,
                mlflow=self.mlflow,
            ),
        )


@dataclass(frozen=True, kw_only=True)
class HostedWall(Wall):
    """A wall with project hosts of this machine behind it."""

    launcher: SandboxLauncher
    plan_for: Callable[[str, str], HostPlan]
    data: ProjectData
    storage_socket: Path
    location_sockets: Path

    def make_hosts(self, on_change: Callable[[str], None]) -> HostPool:
        """The hosts of this process; see `HostPool`."""
        self.location_sockets.mkdir(parents=True, exist_ok=True)
        return HostPool(
            self.launcher,
            self.authority,
            self.plan_for,
            self.location_sockets,
            on_change,
            self.data.shown,
        )

    def open_door(
        self, instance: NodeInstance, hosts: HostPool, attempts: Attempts, asset_prefixes: Mapping[str, str]
    ) -> StorageService:
        """The storage service of these hosts, serving."""
        door = UnixDoor(self.storage_socket)
        return self.serve_behind(door, instance, attempts, asset_prefixes, host_is_live=hosts.is_live)
