"""Every private Dagster name that the control plane touches, in one place, pinned by a test.

Dagster offers no public way to drive a run from a stored plan, to load a workspace, or to run its
daemons in a process of one's own; these names are how its own web server and daemon do it.
"""

from dagster._core.definitions.freshness import FreshnessState, FreshnessStateRecord
from dagster._core.errors import (
    DagsterInvariantViolationError,
    DagsterRunNotFoundError,
    DagsterUserCodeUnreachableError,
)
from dagster._core.event_api import (
    AssetRecordsFilter,
    EventRecordsFilter,
    EventRecordsResult,
    PartitionKeyFilter,
    RunStatusChangeRecordsFilter,
)
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    DagsterEvent,
    DagsterEventType,
    JobFailureData,
    RunFailureReason,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.execution.context_creation_job import create_context_free_log_manager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.objects import ErrorSource, StepFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.instance.ref import InstanceRef
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.base import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    RunLauncher,
    WorkerStatus,
)
from dagster._core.remote_origin import CodeLocationOrigin, GrpcServerCodeLocationOrigin
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    TickData,
    TickStatus,
)
from dagster._core.scheduler.scheduler import DagsterDaemonScheduler
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
    AssetCheckPartitionInfo,
)
from dagster._core.storage.dagster_run import (
    DagsterRun,
    DagsterRunStatus,
    JobBucket,
    RunRecord,
    RunsFilter,
    TagBucket,
)
from dagster._core.storage.event_log.base import (
    AssetCheckSummaryRecord,
    AssetEntry,
    AssetEventSummaryRecord,
    AssetRecord,
    EventLogConnection,
    EventLogStorage,
    PlannedMaterializationInfo,
    PoolLimit,
)
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs.base import RunStorage
from dagster._core.storage.runs.schema import RunTagsTable
from dagster._core.storage.schedules.base import ScheduleStorage
from dagster._core.storage.tags import (
    BACKFILL_ID_TAG,
    MAX_RUNTIME_SECONDS_TAG,
    PARENT_RUN_ID_TAG,
    SCHEDULE_NAME_TAG,
    SENSOR_NAME_TAG,
)
from dagster._core.types.pagination import PaginatedResults
from dagster._core.workspace.context import (
    BaseWorkspaceRequestContext,
    CodeLocationEntry,
    WorkspaceProcessContext,
    WorkspaceRequestContext,
)
from dagster._core.workspace.load_target import WorkspaceLoadTarget
from dagster._core.workspace.permissions import LOCATION_SCOPED_PERMISSIONS, PermissionResult, Permissions
from dagster._core.workspace.workspace import CodeLocationLoadStatus, CurrentWorkspace, DefinitionsSource
from dagster._daemon.controller import DagsterDaemonController, create_daemons_from_instance
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.utils import max_rx_bytes
from dagster._serdes import ConfigurableClassData, deserialize_value, serialize_value
from dagster._utils.concurrency import ConcurrencyKeyInfo
from dagster._utils.error import SerializableErrorInfo, serializable_error_info_from_exc_info
from dagster_shared.record import as_dict, is_record
from dagster_shared.serdes.serdes import is_whitelisted_for_serdes_object

__all__ = [
    "ASSET_CHECK_EVENTS",
    "ASSET_EVENTS",
    "BACKFILL_ID_TAG",
    "LOCATION_SCOPED_PERMISSIONS",
    "MAX_RUNTIME_SECONDS_TAG",
    "PARENT_RUN_ID_TAG",
    "SCHEDULE_NAME_TAG",
    "SENSOR_NAME_TAG",
    "ActiveExecution",
    "AssetCheckExecutionRecord",
    "AssetCheckExecutionRecordStatus",
    "AssetCheckPartitionInfo",
    "AssetCheckSummaryRecord",
    "AssetEntry",
    "AssetEventSummaryRecord",
    "AssetRecord",
    "AssetRecordsFilter",
    "BaseWorkspaceRequestContext",
    "BulkActionStatus",
    "BulkActionsFilter",
    "CheckRunHealthResult",
    "CodeLocationEntry",
    "CodeLocationLoadStatus",
    "CodeLocationOrigin",
    "ConcurrencyKeyInfo",
    "ConfigurableClassData",
    "CurrentWorkspace",
    "DagsterDaemonController",
    "DagsterDaemonScheduler",
    "DagsterEvent",
    "DagsterEventType",
    "DagsterGrpcClient",
    "DagsterInvariantViolationError",
    "DagsterRun",
    "DagsterRunNotFoundError",
    "DagsterRunStatus",
    "DagsterUserCodeUnreachableError",
    "DefinitionsSource",
    "ErrorSource",
    "EventLogConnection",
    "EventLogEntry",
    "EventLogStorage",
    "EventRecordsFilter",
    "EventRecordsResult",
    "ExecutionPlan",
    "ExecutionStep",
    "FreshnessState",
    "FreshnessStateRecord",
    "GrpcServerCodeLocation",
    "GrpcServerCodeLocationOrigin",
    "InstanceConcurrencyContext",
    "InstanceRef",
    "InstanceType",
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorTick",
    "JobBucket",
    "JobFailureData",
    "KnownExecutionState",
    "LaunchRunContext",
    "LocalArtifactStorage",
    "LocalComputeLogManager",
    "PaginatedResults",
    "PartitionBackfill",
    "PartitionKeyFilter",
    "PermissionResult",
    "Permissions",
    "PlannedMaterializationInfo",
    "PoolLimit",
    "QueuedRunCoordinator",
    "QueuedRunCoordinatorDaemon",
    "ResumeRunContext",
    "RetryMode",
    "RunFailureReason",
    "RunLauncher",
    "RunRecord",
    "RunStatusChangeRecordsFilter",
    "RunStorage",
    "RunTagsTable",
    "RunsFilter",
    "ScheduleStorage",
    "SerializableErrorInfo",
    "SqlEventLogStorageTable",
    "StepFailureData",
    "SubmitRunContext",
    "TagBucket",
    "TickData",
    "TickStatus",
    "WorkerStatus",
    "WorkspaceLoadTarget",
    "WorkspaceProcessContext",
    "WorkspaceRequestContext",
    "as_dict",
    "create_context_free_log_manager",
    "create_daemons_from_instance",
    "deserialize_value",
    "is_record",
    "is_whitelisted_for_serdes_object",
    "max_rx_bytes",
    "serializable_error_info_from_exc_info",
    "serialize_value",
]
