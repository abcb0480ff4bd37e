"""Every private Dagster name that the project side touches, in one place, pinned by a test.

Dagster has no public way to serve definitions from an already-loaded process, to run one step of a
stored plan, or to write a storage of one's own; these names are how its own servers and executors do it.
"""

from dagster._core.definitions.freshness import FreshnessState, FreshnessStateRecord
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.event_api import (
    EventRecordsFilter,
    EventRecordsResult,
    PartitionKeyFilter,
    RunStatusChangeRecordsFilter,
)
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.execution.api import create_execution_plan, execute_plan_iterator
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode
from dagster._core.instance.ref import InstanceRef
from dagster._core.instance.types import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
    AssetCheckPartitionInfo,
)
from dagster._core.storage.compute_log_manager import CapturedLogContext
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
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs.base import RunStorage
from dagster._core.storage.schedules.base import ScheduleStorage
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.types.pagination import PaginatedResults
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.server import DagsterApiServer, DagsterGrpcServer, LoadedRepositories
from dagster._serdes import ConfigurableClass, ConfigurableClassData, deserialize_value, serialize_value
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.record import as_dict, is_record
from dagster_shared.serdes.serdes import is_whitelisted_for_serdes_object

__all__ = [
    "AssetCheckExecutionRecord",
    "AssetCheckExecutionRecordStatus",
    "AssetCheckPartitionInfo",
    "AssetCheckSummaryRecord",
    "AssetEntry",
    "AssetEventSummaryRecord",
    "AssetRecord",
    "BulkActionStatus",
    "CapturedLogContext",
    "ConfigurableClass",
    "ConfigurableClassData",
    "DagsterApiServer",
    "DagsterEvent",
    "DagsterEventType",
    "DagsterGrpcServer",
    "DagsterRun",
    "DagsterRunStatus",
    "DefaultRunCoordinator",
    "EventLogConnection",
    "EventLogStorage",
    "EventRecordsFilter",
    "EventRecordsResult",
    "FreshnessState",
    "FreshnessStateRecord",
    "FuturesAwareThreadPoolExecutor",
    "GrpcServerCodeLocationOrigin",
    "InMemoryJob",
    "InstanceRef",
    "InstanceType",
    "InstigatorStatus",
    "JobBucket",
    "KnownExecutionState",
    "LoadableTargetOrigin",
    "LoadedRepositories",
    "LocalArtifactStorage",
    "NoOpComputeLogManager",
    "PaginatedResults",
    "PartitionKeyFilter",
    "PlannedMaterializationInfo",
    "PoolLimit",
    "ReconstructableRepository",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "RetryMode",
    "RunRecord",
    "RunStatusChangeRecordsFilter",
    "RunStorage",
    "RunsFilter",
    "ScheduleStorage",
    "StepFailureData",
    "StepRetryData",
    "SyncInMemoryRunLauncher",
    "TagBucket",
    "TickStatus",
    "as_dict",
    "create_execution_plan",
    "deserialize_value",
    "execute_plan_iterator",
    "is_record",
    "is_whitelisted_for_serdes_object",
    "serializable_error_info_from_exc_info",
    "serialize_value",
]
