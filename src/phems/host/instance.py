"""The Dagster instance that project code sees: storages beyond the wall, no launcher, no queue."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from dagster import DagsterInstance

from phems.errors import RefusedError
from phems.host._dagster import (
    CapturedLogContext,
    DefaultRunCoordinator,
    InstanceRef,
    InstanceType,
    LocalArtifactStorage,
    NoOpComputeLogManager,
    SyncInMemoryRunLauncher,
)
from phems.host.storages import WallEventLogStorage, WallRunStorage, WallScheduleStorage


class WallComputeLogs(NoOpComputeLogManager):
    """Says where a step's output goes; the node has already put it there, as open files."""

    def __init__(self, file_key: str = "host") -> None:
        super().__init__()
        self._file_key = file_key

    def build_log_key_for_run(self, run_id: str, step_key: str) -> Sequence[str]:  # noqa: ARG002
        """The key that the control plane chose for this attempt's files."""
        return [run_id, "compute_logs", self._file_key]

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Capture nothing: stdout and stderr are the files since the process began."""
        yield CapturedLogContext(log_key=log_key)


class _NoLauncher(SyncInMemoryRunLauncher):
    """Project code starts no run; runs start in the control plane, through admission."""

    def launch_run(self, context: Any) -> None:
        """Refuse."""
        raise RefusedError(
            "Project code may not launch runs.",
            why=f"Run {context.dagster_run.run_id} would pass no admission.",
            remedy="Use a sensor or a schedule, or: phems run launch PROJECT JOB",
        )


class WallInstance(DagsterInstance):
    """A DagsterInstance whose every reading and writing goes through the storage service."""

    def __init__(self, *, file_key: str = "host", ref: InstanceRef | None = None, **_others: Any) -> None:
        super().__init__(
            instance_type=InstanceType.PERSISTENT,
            local_artifact_storage=LocalArtifactStorage("/tmp/dagster"),  # noqa: S108 - the sandbox's own
            run_storage=WallRunStorage(),
            event_storage=WallEventLogStorage(),
            schedule_storage=WallScheduleStorage(),
            compute_log_manager=WallComputeLogs(file_key),
            run_coordinator=DefaultRunCoordinator(),
            run_launcher=_NoLauncher(),
            settings={"telemetry": {"enabled": False}},
            ref=ref,
        )

    def get_ref(self) -> InstanceRef:
        """How another process of this project finds the same instance: by its own capability."""
        if self._ref is None:
            raise RefusedError(
                "A step may not hand its instance to another process.",
                remedy="Run the work as its own op; the node starts each in a process of its own.",
            )
        return self._ref
