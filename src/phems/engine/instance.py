"""The control plane's Dagster instance, and the reference to it that may cross the wall."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from phems.engine._dagster import (
    ConfigurableClassData,
    DagsterDaemonScheduler,
    EventLogStorage,
    InstanceRef,
    InstanceType,
    LocalArtifactStorage,
    LocalComputeLogManager,
    PartitionBackfill,
    QueuedRunCoordinator,
    RunLauncher,
    RunStorage,
    ScheduleStorage,
)
from phems.engine.admission_point import requester
from phems.engine.tags import PROJECT_TAG, REQUESTER_TAG, reserved
from phems.errors import NotFoundError, RefusedError

# Named, not imported: the classes live on the other side of the wall and are loaded there.
_PROJECT_SIDE = {
    "instance": ("phems.host.instance", "WallInstance"),
    "runs": ("phems.host.storages", "WallRunStorage"),
    "events": ("phems.host.storages", "WallEventLogStorage"),
    "schedules": ("phems.host.storages", "WallScheduleStorage"),
}


class PlainLogs(LocalComputeLogManager):
    """Dagster's own logs in files, under keys whose parts are plain names.

    Dagster keeps a key within the folder of all logs; a part such as `../RUN` would still lead from one
    run's folder to another's.
    """

    def get_captured_local_path(
        self,
        log_key: Sequence[str],
        extension: str,
        partial: bool = False,  # noqa: FBT001, FBT002 (Dagster's)
    ) -> str:
        """Where the log of a key lies; raises `NotFoundError` for a key that leads elsewhere."""
        if any("/" in part or part in {"", ".", ".."} for part in log_key):
            raise NotFoundError("There are no such logs.", why="The parts of a log's key are plain names.")
        return str(super().get_captured_local_path(log_key, extension, partial))


class NodeInstance(DagsterInstance):
    """Dagster's instance on the control plane's side.

    `get_ref` never tells how this process reaches its database: what it gives makes, on the project
    side, an instance that speaks through the wall.
    """

    def __init__(
        self,
        *,
        run_storage: RunStorage,
        event_storage: EventLogStorage,
        schedule_storage: ScheduleStorage,
        run_coordinator: QueuedRunCoordinator[Any],
        run_launcher: RunLauncher[Any],
        projects_by_prefix: Mapping[str, str],
        home: Path,
        logs: Path,
    ) -> None:
        self._projects_by_prefix = projects_by_prefix
        home.mkdir(parents=True, exist_ok=True)
        logs.mkdir(parents=True, exist_ok=True)
        self.plain_logs = PlainLogs(str(logs))
        super().__init__(
            instance_type=InstanceType.PERSISTENT,
            local_artifact_storage=LocalArtifactStorage(str(home)),
            run_storage=run_storage,
            event_storage=event_storage,
            schedule_storage=schedule_storage,
            compute_log_manager=self.plain_logs,
            scheduler=DagsterDaemonScheduler(),
            run_coordinator=run_coordinator,
            run_launcher=run_launcher,
            settings={
                "telemetry": {"enabled": False},
                "nux": {"enabled": False},
                "run_retries": {"enabled": True, "max_retries": 0},
                "auto_materialize": {"use_sensors": True},
            },
        )

    def add_backfill(self, partition_backfill: PartitionBackfill) -> None:
        """Keep a backfill with its project and who asked: its runs are submitted later, by the daemon."""
        foreign = reserved(partition_backfill.tags)
        if foreign:
            raise RefusedError(
                f"The tags {', '.join(foreign)} are reserved.",
                why="Only the node may say who asks.",
                remedy="Take them out of the backfill.",
            )
        who = requester.get() or "system:daemon"
        project = self._project_of(partition_backfill)
        tags = {**partition_backfill.tags, REQUESTER_TAG: who, PROJECT_TAG: project}
        super().add_backfill(partition_backfill._replace(tags=tags))

    def _project_of(self, backfill: PartitionBackfill) -> str:
        if backfill.partition_set_origin is not None:
            return str(backfill.partition_set_origin.repository_origin.code_location_origin.location_name)
        prefixes = {key.path[0] for key in backfill.asset_selection or ()}
        projects = {self._projects_by_prefix.get(prefix) for prefix in prefixes}
        project = projects.pop() if len(projects) == 1 else None
        if project is None:
            raise RefusedError(
                "A backfill is of the assets of one project.",
                why="It is shown to that project's people, and counts for its rules.",
                remedy="Ask for one backfill for each project.",
            )
        return project

    def get_yaml_python_handlers(self) -> Sequence[logging.Handler]:
        """None: Dagster would set up the whole process's logging anew for every run that is driven."""
        # That closes other parts' handlers, and takes the logging locks in the order that deadlocks
        # with a handler which writes to the database.
        return []

    def get_ref(self) -> InstanceRef:
        """A reference that makes a project-side instance; it carries no address and no secret."""
        return InstanceRef(
            local_artifact_storage_data=_data(
                "dagster._core.storage.root", "LocalArtifactStorage", "base_dir: /tmp/dagster\n"
            ),
            compute_logs_data=_data(
                "dagster._core.storage.noop_compute_log_manager", "NoOpComputeLogManager"
            ),
            scheduler_data=None,
            run_coordinator_data=None,
            run_launcher_data=None,
            settings={"telemetry": {"enabled": False}},
            run_storage_data=_data(*_PROJECT_SIDE["runs"]),
            event_storage_data=_data(*_PROJECT_SIDE["events"]),
            schedule_storage_data=_data(*_PROJECT_SIDE["schedules"]),
            custom_instance_class_data=_data(*_PROJECT_SIDE["instance"]),
            secrets_loader_data=None,
            defs_state_storage_data=None,
        )


def _data(module: str, name: str, config: str = "{}\n") -> ConfigurableClassData:
    return ConfigurableClassData(module, name, config)
