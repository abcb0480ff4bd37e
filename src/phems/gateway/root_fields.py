"""Who may ask what of Dagster's GraphQL: every root field with the verbs that open it, as one table.

Any one of a field's verbs is enough, in some project or on the node; an empty tuple is for nobody. A
field that is not listed is refused, and a test fails when Dagster adds one. What the guard checks is the
resolver itself, so aliases, fragments and operation names change nothing. Mutations about one project
are held to that project's roles by `permissions.py`; which rows a query shows, by the scope of the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, default_field_resolver

from phems.domain.permissions import Verb
from phems.engine.person import Person
from phems.errors import RefusedError
from phems.gateway.callers import current_caller
from phems.gateway.mutation_records import UNRECORDED, Records, record
from phems.gateway.settings import Membership

Verbs = tuple[Verb, ...]

NOBODY: Verbs = ()
READ: Verbs = ("project.read",)
# What project code wrote: events with messages and metadata, and captured output.
LOGS: Verbs = ("run.logs",)
LAUNCH: Verbs = ("run.launch",)
CANCEL: Verbs = ("run.cancel",)
OPERATE: Verbs = ("node.operate",)
RELOAD: Verbs = ("run.launch", "node.operate")

_QUERIES_OF_LOGS = ("capturedLogs", "capturedLogsMetadata", "logsForRun")
_QUERIES_TO_READ = (
    "allTopLevelResourceDetailsOrError",
    "appManagedComponentsForLocationOrError",
    "assetBackfillPreview",
    "assetCheckExecutions",
    "assetConditionEvaluationForPartition",
    "assetConditionEvaluationRecordsOrError",
    "assetConditionEvaluationsForEvaluationId",
    "assetNodeAdditionalRequiredKeys",
    "assetNodeDefinitionCollisions",
    "assetNodeOrError",
    "assetNodes",
    "assetOrError",
    "assetRecordsOrError",
    "assetsLatestInfo",
    "assetsOrError",
    "autoMaterializeAssetEvaluationsOrError",
    "autoMaterializeEvaluationsForEvaluationId",
    "autoMaterializeTicks",
    "canBulkTerminate",
    "componentTypesForLocationOrError",
    "componentsForLocationOrError",
    "executionPlanOrError",
    "graphOrError",
    "instance",
    "instigationStateOrError",
    "instigationStatesOrError",
    "isPipelineConfigValid",
    "latestDefsStateInfo",
    "locationStatusesOrError",
    "partitionBackfillOrError",
    "partitionBackfillsOrError",
    "partitionSetOrError",
    "partitionSetsOrError",
    "permissions",
    "pipelineOrError",
    "pipelineRunOrError",
    "pipelineRunsOrError",
    "pipelineSnapshotOrError",
    "repositoriesOrError",
    "repositoryOrError",
    "resourcesOrError",
    "runConfigSchemaOrError",
    "runGroupOrError",
    "runIdsOrError",
    "runOrError",
    "runTagKeysOrError",
    "runTagsOrError",
    "runsFeedCountOrError",
    "runsFeedOrError",
    "runsOrError",
    "scheduleOrError",
    "scheduler",
    "schedulesOrError",
    "sensorOrError",
    "sensorsOrError",
    "shouldShowNux",
    "test",
    "topLevelResourceDetailsOrError",
    "truePartitionsForAutomationConditionEvaluationNode",
    "utilizedEnvVarsOrError",
    "version",
    "workspaceLocationEntryOrError",
    "workspaceOrError",
)

QUERIES: Mapping[str, Verbs] = {
    **dict.fromkeys(_QUERIES_OF_LOGS, LOGS),
    **dict.fromkeys(_QUERIES_TO_READ, READ),
}

MUTATIONS: Mapping[str, Verbs] = {
    "addDynamicPartition": LAUNCH,
    "cancelPartitionBackfill": CANCEL,
    "deleteAppManagedComponent": NOBODY,
    "deleteConcurrencyLimit": OPERATE,
    "deleteDynamicPartitions": LAUNCH,
    # Runs and the events of assets are evidence: nobody takes them away.
    "deletePipelineRun": NOBODY,
    "deleteRun": NOBODY,
    "freeConcurrencySlots": OPERATE,
    "freeConcurrencySlotsForRun": OPERATE,
    "launchMultipleRuns": LAUNCH,
    "launchPartitionBackfill": LAUNCH,
    "launchPipelineExecution": LAUNCH,
    "launchPipelineReexecution": LAUNCH,
    "launchRun": LAUNCH,
    "launchRunReexecution": LAUNCH,
    "logTelemetry": READ,
    "reexecutePartitionBackfill": LAUNCH,
    "refreshComponentState": NOBODY,
    "reloadRepositoryLocation": RELOAD,
    "reloadWorkspace": OPERATE,
    # What an asset's history says comes from runs alone.
    "reportAssetCheckEvaluations": NOBODY,
    "reportRunlessAssetEvents": NOBODY,
    "resetSchedule": LAUNCH,
    "resetSensor": LAUNCH,
    "resumePartitionBackfill": LAUNCH,
    "scheduleDryRun": LAUNCH,
    "sensorDryRun": LAUNCH,
    "setAppManagedComponent": NOBODY,
    "setAutoMaterializePaused": OPERATE,
    "setConcurrencyLimit": OPERATE,
    "setNuxSeen": READ,
    "setSensorCursor": LAUNCH,
    # Project hosts are the node's to start and end.
    "shutdownRepositoryLocation": NOBODY,
    "startSchedule": LAUNCH,
    "startSensor": LAUNCH,
    "stopRunningSchedule": LAUNCH,
    "stopSensor": LAUNCH,
    "terminatePipelineExecution": CANCEL,
    "terminateRun": CANCEL,
    "terminateRuns": CANCEL,
    "wipeAssets": NOBODY,
}

SUBSCRIPTIONS: Mapping[str, Verbs] = {
    "capturedLogs": LOGS,
    "locationStateChangeEvents": READ,
    "pipelineRunLogs": LOGS,
}

# Fields deeper down that lead to what a root field above guards.
INNER_FIELDS: Mapping[tuple[str, str], Verbs] = {("Run", "eventConnection"): LOGS}


def guard(schema: GraphQLSchema, membership: Membership, records: Records | None = None) -> None:
    """Put the table's rule before every root field's resolver, and the record before every mutation's.

    Without records no mutation is done.
    """
    roots = (
        (schema.query_type, QUERIES),
        (schema.mutation_type, MUTATIONS),
        (schema.subscription_type, SUBSCRIPTIONS),
    )
    for kind, table in roots:
        for name in kind.fields if kind else ():
            assert kind is not None  # noqa: S101 (for the type checker)
            _guard_field(kind, name, table.get(name, NOBODY), membership)
    for (type_name, name), verbs in INNER_FIELDS.items():
        inner = schema.get_type(type_name)
        if isinstance(inner, GraphQLObjectType):
            _guard_field(inner, name, verbs, membership)
    for name, field in schema.mutation_type.fields.items() if schema.mutation_type else ():
        field.resolve = _recorded(field.resolve or default_field_resolver, name, membership, records)


def _recorded(
    resolve: Callable[..., Any], name: str, membership: Membership, records: Records | None
) -> Callable[..., Any]:
    def recorded(root: Any, info: Any, **arguments: Any) -> Any:
        refusal = None
        try:
            check(membership, MUTATIONS.get(name, NOBODY), f"Mutation.{name}")
        except RefusedError as error:
            refusal = error
        if records is not None and info is not None:
            record(records, info.context.person, name, arguments, refusal)
        elif refusal is None and name not in UNRECORDED:
            raise RefusedError("Nothing is changed here.", why="What is done could not be recorded.")
        if refusal is not None:
            raise refusal
        return resolve(root, info, **arguments)

    return recorded


def check(membership: Membership, verbs: Verbs, what: str) -> None:
    """Raise RefusedError unless the caller may do one of `verbs` somewhere."""
    caller = current_caller.get()
    if caller is not None and verbs and membership.may_somewhere(caller.name, *verbs):
        return
    if not verbs:
        raise RefusedError(f"{what} is closed on this node.", why="No role opens it.")
    name = caller.name if caller else "Nobody"
    raise RefusedError(
        f"{name} may not use {what}.",
        why=f"It needs a role that allows {' or '.join(verbs)}.",
        remedy="Ask an operator to add you in node.yaml; /account shows the roles you have.",
    )


def _check_log(person: Person, run_id: str | None, what: str) -> None:
    """Logs are for the analysts of the very project. Of a run that is not shown, Dagster itself says so."""
    if run_id is None or person.may_read_log(run_id):
        return
    if person.sees_all or person.owns_run(run_id):
        raise RefusedError(
            f"You may not use {what} here.",
            why=f"It needs a role in the run's project that allows {' or '.join(LOGS)}.",
            remedy="Ask an operator to add you in node.yaml; /account shows the roles you have.",
        )


def _guard_field(kind: GraphQLObjectType, name: str, verbs: Verbs, membership: Membership) -> None:
    field = kind.fields[name]
    if field.subscribe is not None:
        field.subscribe = _guarded(field.subscribe, membership, verbs, f"{kind.name}.{name}")
    else:
        resolve = field.resolve or default_field_resolver
        field.resolve = _guarded(resolve, membership, verbs, f"{kind.name}.{name}")


def _guarded(
    resolve: Callable[..., Any], membership: Membership, verbs: Verbs, what: str
) -> Callable[..., Any]:
    def guarded(root: Any, info: Any, **arguments: Any) -> Any:
        check(membership, verbs, what)
        if verbs == LOGS:
            _check_log(info.context.person, arguments.get("runId") or getattr(root, "runId", None), what)
        return resolve(root, info, **arguments)

    return guarded
