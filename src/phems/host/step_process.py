"""The step process: one attempt of one step, in a fork of the host, with its own capability."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any

from phems.contract.runtime import set_runtime
from phems.contract.step_order import HostOrder, StepOrder
from phems.host import limits
from phems.host._dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterRun,
    KnownExecutionState,
    ReconstructableRepository,
    RetryMode,
    StepFailureData,
    StepRetryData,
    create_execution_plan,
    deserialize_value,
    execute_plan_iterator,
    serializable_error_info_from_exc_info,
)
from phems.host.connections import unix_connection
from phems.host.definitions import LoadedDefinitions
from phems.host.event_buffer import EventBuffer
from phems.host.instance import WallInstance
from phems.host.runtime import node_runtime
from phems.host.storage_client import StorageClient
from phems.host.storages import use_client

GC_THRESHOLD = 20_000  # allocations; Python's own is 700


class StepCancelled(BaseException):
    """The node asked this step to end; project code's own clean-up still runs."""


def run(host: HostOrder, loaded: LoadedDefinitions, order_fd: int) -> bool:
    """Run the step whose order is in the file `order_fd` to its end; whether it succeeded.

    Its outcome is in its events; an error raised here is the node's own.
    """
    with os.fdopen(order_fd) as document:
        order = StepOrder.from_json(document.read())
    limits.apply(order.limits)
    # Most steps end before a collection would find anything, and each walks over pages shared with the host.
    gc.set_threshold(GC_THRESHOLD)
    client = StorageClient(unix_connection(host.storage_socket), lambda: order.capability)
    return perform(host, loaded, order, client)


def perform(
    host: HostOrder, loaded: LoadedDefinitions, order: StepOrder, client: StorageClient, note: str = ""
) -> bool:
    """Carry out an order in this process, through `client`; whether the step succeeded. See `run`.

    A `note` of the node's goes to the run's log first.
    """
    signal.signal(signal.SIGTERM, _cancel)
    buffer = _buffer_to(client)
    use_client(client, buffer)
    dagster_run = deserialize_value(order.run, DagsterRun)
    set_runtime(node_runtime(host, client))
    try:
        with _mlflow(host, client), WallInstance(file_key=order.log_file_key) as instance:
            if note:
                instance.report_engine_event(
                    note, dagster_run, engine_event_data=None, step_key=order.step_key
                )
            try:
                return _execute(loaded.repository, instance, dagster_run, order)
            except Exception:
                instance.report_engine_event(
                    "The step failed outside of its own code.",
                    dagster_run,
                    engine_event_data=None,
                    step_key=order.step_key,
                )
                sys.stderr.write(serializable_error_info_from_exc_info(sys.exc_info()).to_string())
                raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        buffer.flush()
        client.close()


def _mlflow(host: HostOrder, client: StorageClient) -> AbstractContextManager[None]:
    if not host.mlflow:
        return nullcontext()
    from phems.host.mlflow_relay import mlflow_relay

    return mlflow_relay(host.project, client)


def report_not_loaded(order: StepOrder, client: StorageClient, error: str) -> None:
    """Put on record for the run why its step could not begin here: the definitions do not load."""
    buffer = _buffer_to(client)
    use_client(client, buffer)
    dagster_run = deserialize_value(order.run, DagsterRun)
    with WallInstance(file_key=order.log_file_key) as instance:
        instance.report_engine_event(
            f"The definitions do not load in the step's pod. {error}",
            dagster_run,
            engine_event_data=None,
            step_key=order.step_key,
        )
    buffer.flush()
    client.close()


_buffer: EventBuffer | None = None


def _buffer_to(client: StorageClient) -> EventBuffer:
    """This process's one buffer, whose thread outlives a step when another follows."""
    global _buffer  # noqa: PLW0603
    if _buffer is None:
        _buffer = EventBuffer(client)
    else:
        _buffer.use(client)
    return _buffer


def _execute(
    repository: ReconstructableRepository, instance: WallInstance, dagster_run: DagsterRun, order: StepOrder
) -> bool:
    known_state = deserialize_value(order.known_state, KnownExecutionState)
    job = repository.get_reconstructable_job(dagster_run.job_name)
    if dagster_run.resolved_op_selection or dagster_run.asset_selection or dagster_run.asset_check_selection:
        job = job.get_subset(
            op_selection=dagster_run.resolved_op_selection,
            asset_selection=dagster_run.asset_selection,
            asset_check_selection=dagster_run.asset_check_selection,
        )
    plan = create_execution_plan(
        job,
        run_config=dagster_run.run_config,
        step_keys_to_execute=[order.step_key],
        known_state=known_state,
        tags=dagster_run.tags,
    )
    events = execute_plan_iterator(
        plan, job, dagster_run, instance, retry_mode=RetryMode.DEFERRED, run_config=dagster_run.run_config
    )
    resource_failure, well = None, False
    try:
        for event in events:
            well = well or event.is_step_success
            if event.is_resource_init_failure:
                resource_failure = event
    except Exception:
        if resource_failure is None:
            raise
    if resource_failure is not None:
        _report_resource_failure(job, plan, instance, dagster_run, order, known_state, resource_failure)
    return well and resource_failure is None


def _report_resource_failure(
    job: Any, plan: Any, instance: Any, dagster_run: Any, order: StepOrder, known_state: Any, failure: Any
) -> None:
    # Dagster's executors say so for a step whose resources did not come up; no executor runs here.
    step = plan.get_step_by_key(order.step_key)
    policy = job.get_definition().get_retry_policy_for_handle(step.node_handle)
    attempts = known_state.get_retry_state().get_attempt_count(order.step_key)
    error = failure.engine_event_data.error
    kind, message = DagsterEventType.STEP_FAILURE, "failed"
    data: Any = StepFailureData(error, None)  # type: ignore[no-untyped-call]
    if policy is not None and attempts < policy.max_retries:
        delay = policy.calculate_delay(attempts + 1)
        kind = DagsterEventType.STEP_UP_FOR_RETRY
        data = StepRetryData(error=error, seconds_to_wait=delay)  # type: ignore[no-untyped-call]
        message = "failed and has requested a retry"
    event = DagsterEvent(
        event_type_value=kind.value,
        job_name=dagster_run.job_name,
        step_handle=step.handle,
        node_handle=step.node_handle,
        step_kind_value=step.kind.value,
        logging_tags={},
        event_specific_data=data,
        message=f'Execution of step "{order.step_key}" {message}: its resources did not start.',
        step_key=order.step_key,
    )
    instance.report_dagster_event(event, dagster_run.run_id, logging.ERROR)


def _cancel(_signal: int, _frame: FrameType | None) -> None:
    raise StepCancelled
