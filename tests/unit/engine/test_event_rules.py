"""Which events a step may write: of its own, of the kinds that a step has, about its own project."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import AssetCheckEvaluation, AssetKey, AssetMaterialization, AssetObservation
from dagster._core.events import AssetObservationData, StepMaterializationData
from tests.unit.engine.test_storage_rules import Project

from phems.contract.capability import Capability
from phems.engine._dagster import DagsterEvent, DagsterEventType, EventLogEntry
from phems.engine.event_rules import STEP_EVENT_TYPES, check_events
from phems.errors import RefusedError

T = DagsterEventType
# What Dagster's own step execution writes; written out here so that a change of either list is seen.
A_STEP_S = {
    "ASSET_CHECK_EVALUATION ASSET_MATERIALIZATION ASSET_OBSERVATION ASSET_STORE_OPERATION ENGINE_EVENT",
    "HANDLED_OUTPUT HOOK_COMPLETED HOOK_ERRORED HOOK_SKIPPED LOADED_INPUT LOGS_CAPTURED",
    "OBJECT_STORE_OPERATION RESOURCE_INIT_FAILURE RESOURCE_INIT_STARTED RESOURCE_INIT_SUCCESS",
    "STEP_EXPECTATION_RESULT STEP_FAILURE STEP_INPUT STEP_OUTPUT STEP_RESTARTED STEP_START STEP_SUCCESS",
    "STEP_UP_FOR_RETRY",
}


def entry(
    kind: DagsterEventType | None,
    *,
    run_id: str = "run-1",
    step: str | None = "step",
    event_step: str | None = "step",
    data: Any = None,
) -> EventLogEntry:
    event = (
        # As a hostile peer would: Dagster's own constructor would ask for the data of the kind.
        DagsterEvent(T.STEP_START.value, job_name="j", step_key=event_step)._replace(
            event_type_value=kind.value, event_specific_data=data
        )
        if kind
        else None
    )
    return EventLogEntry(
        error_info=None,
        level=20,
        user_message="",
        run_id=run_id,
        timestamp=1.0,
        step_key=step,
        job_name="j",
        dagster_event=event,
    )


def about(kind: DagsterEventType, key: AssetKey) -> Any:
    return {
        T.ASSET_MATERIALIZATION: lambda: StepMaterializationData(AssetMaterialization(asset_key=key), []),
        T.ASSET_OBSERVATION: lambda: AssetObservationData(AssetObservation(asset_key=key)),
        T.ASSET_CHECK_EVALUATION: lambda: AssetCheckEvaluation(
            asset_key=key, check_name="c", passed=True, metadata={}
        ),
    }.get(kind, lambda: None)()


OWN, FOREIGN = AssetKey(["heart_attack", "a"]), AssetKey(["breast_cancer", "a"])
OF_ASSETS = (T.ASSET_MATERIALIZATION, T.ASSET_OBSERVATION, T.ASSET_CHECK_EVALUATION)


def test_the_kinds_that_a_step_may_write_are_these_and_no_others() -> None:
    """Attack 21: otherwise a kind that lets a step speak for its run slips into the table."""
    assert {kind.value for kind in STEP_EVENT_TYPES} == set(" ".join(A_STEP_S).split())


@pytest.mark.parametrize("kind", list(DagsterEventType))
def test_a_kind_is_let_through_exactly_when_the_table_has_it(kind: DagsterEventType) -> None:
    """Otherwise a step that works cannot say so, or declares its run a success."""
    event = entry(kind, data=about(kind, OWN))
    if kind in STEP_EVENT_TYPES:
        check_events(Project(), [event])
    else:
        with pytest.raises(RefusedError, match="may not write"):
            check_events(Project(), [event])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(entry(T.STEP_SUCCESS, run_id="run-2"), id="another run of the project"),
        pytest.param(entry(T.STEP_SUCCESS, step="other", event_step="other"), id="another step"),
        pytest.param(entry(T.STEP_SUCCESS, event_step="other"), id="another step inside"),
        pytest.param(entry(T.STEP_SUCCESS, step="other"), id="another step outside"),
        pytest.param(entry(T.STEP_SUCCESS, step=None, event_step=None), id="no step"),
        pytest.param(entry(None, run_id="run-2"), id="a log line of another run"),
        pytest.param(entry(None, step="other"), id="a log line of another step"),
        pytest.param("STEP_SUCCESS", id="no event"),
        *(pytest.param(entry(k, data=about(k, FOREIGN)), id=f"foreign {k.value}") for k in OF_ASSETS),
    ],
)
def test_what_is_not_the_step_s_own_is_refused(event: Any) -> None:
    """Otherwise a step speaks for others: it ends their steps or makes their assets."""
    with pytest.raises(RefusedError):
        check_events(Project(), [entry(T.STEP_START), event])


@pytest.mark.parametrize(
    "event", [entry(None), entry(None, step=None), entry(T.LOGS_CAPTURED, event_step=None)]
)
def test_log_lines_and_captured_logs_need_no_step(event: EventLogEntry) -> None:
    """Otherwise `context.log` and the record of stdout are lost."""
    check_events(Project(), [event])


def test_a_code_server_writes_no_events() -> None:
    """Otherwise a sensor fills other runs' logs."""
    location = Project(Capability("location", "heart-attack", 1e12, "d"))
    with pytest.raises(RefusedError, match="Only a step"):
        check_events(location, [entry(None)])
