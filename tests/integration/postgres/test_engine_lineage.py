"""What lineage reads of a run: from Dagster's own storage, in Dagster's own forms, and bounded."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, DagsterRun, EventLogEntry
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.execution.plan.objects import StepFailureData, StepSuccessData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.engine_lineage import MOST_BYTES, NOMINAL_TAG, PostgresEngineLineage
from phems.engine.tags import PROJECT_TAG

RUN = "run-1"
DIGEST = "ab" * 32
NOON = "2026-11-29T12:00:00+00:00"
CANARY = "CANARY-PATIENT-7f3a9"


def stored(log: PostgresEventLogStorage, kind: DagsterEventType, step: str | None, data: Any = None) -> None:
    """One event, as Dagster stores it."""
    event = DagsterEvent(kind.value, "analysis", step_key=step, event_specific_data=data)
    entry = EventLogEntry(
        None, 20, "", RUN, time.time(), step_key=step, job_name="analysis", dagster_event=event
    )
    log.store_event(entry)


def made(log: PostgresEventLogStorage, step: str, materialization: dg.AssetMaterialization) -> None:
    stored(log, DagsterEventType.ASSET_MATERIALIZATION, step, StepMaterializationData(materialization))


def planned(log: PostgresEventLogStorage, *names: str) -> None:
    for name in names:
        data = AssetMaterializationPlannedData(dg.AssetKey(["heart", name]))
        stored(log, DagsterEventType.ASSET_MATERIALIZATION_PLANNED, None, data)


def test_a_run_is_read_as_its_plan_names_it(database: Database) -> None:
    """Otherwise an upgrade of Dagster empties lineage, or what a step made up as it read data is in it."""
    engine = PostgresEngineLineage(database.engine("dagster"))
    assert (engine.statuses([RUN]), engine.facts(RUN), engine.planned(["x"])) == ({}, None, frozenset())
    url = database.url("dagster")
    runs, log = PostgresRunStorage.create_clean_storage(url), PostgresEventLogStorage(url)
    try:
        tags = {PROJECT_TAG: "heart", NOMINAL_TAG: NOON}
        runs.add_run(DagsterRun(job_name="analysis", run_id=RUN, tags=tags))
        runs.add_run(DagsterRun(job_name="analysis", run_id="stranger"))
        planned(log, "cohort", "wards", "huge", "odd")
        for step in ("load", f"count[{CANARY}]", "count[other]", "never"):
            stored(log, DagsterEventType.STEP_START, None if step == "never" else step)
        stored(log, DagsterEventType.STEP_SUCCESS, "load", StepSuccessData(duration_ms=1.0))
        for step in ("count[other]", "never"):
            failure = StepFailureData(error=None, user_failure_data=None)  # type: ignore[no-untyped-call]
            stored(log, DagsterEventType.STEP_FAILURE, step, failure)
        source = dg.TableColumnDep(dg.AssetKey(["whas500"]), "fstat")
        cohort = dg.AssetMaterialization(
            ["heart", "cohort"],
            metadata={
                "dagster/column_lineage": dg.TableColumnLineage({"died": [source]}),
                "dagster/column_schema": dg.TableSchema([dg.TableColumn("died", "bool")]),
                "dagster/row_count": 500,
            },
            tags={"dagster/data_version": DIGEST, "dagster/input_data_version/heart/raw": DIGEST},
        )
        made(log, "load", cohort)
        for ward in ("north", "south"):
            counted = {"dagster/row_count": 7}
            made(log, "load", dg.AssetMaterialization(["heart", "wards"], partition=ward, metadata=counted))
        made(log, "load", dg.AssetMaterialization(["heart", "huge"], metadata={"text": "x" * MOST_BYTES}))
        odd = {"dagster/column_lineage": CANARY, "dagster/row_count": -1, "dagster/column_schema": 3}
        made(log, "load", dg.AssetMaterialization(["heart", "odd"], metadata=odd))
        made(log, f"count[{CANARY}]", dg.AssetMaterialization(["heart", CANARY]))
        facts = engine.facts(RUN)
        assert facts is not None
        assert (facts.project, facts.job, facts.nominal_at) == (
            "heart",
            "analysis",
            datetime(2026, 11, 29, 12, tzinfo=UTC),
        )
        assert [(step.name, step.has_failed, step.ended_at is not None) for step in facts.steps] == [
            ("load", False, True),
            ("count", True, True),
        ]
        assets = {asset.name: asset for asset in facts.assets}
        assert list(assets) == ["heart/cohort", "heart/huge", "heart/odd", "heart/wards"]
        found = assets["heart/cohort"]
        assert (found.version, found.rows, found.columns) == (DIGEST, 500, (("died", "bool"),))
        assert found.sources == {"died": (("whas500", "fstat"),)}
        assert found.inputs == {"heart/raw": DIGEST}
        for name in ("heart/huge", "heart/odd", "heart/wards"):
            assert (assets[name].rows, assets[name].columns, assets[name].sources) == (None, (), {})
        assert CANARY not in str(facts)
        assert engine.planned(["heart/cohort", f"heart/{CANARY}", "heart"]) == {"heart/cohort"}
        assert engine.statuses([RUN, "no-such-run"]) == {RUN: "NOT_STARTED"}
        assert engine.facts("stranger") is None, "it is no project's"
    finally:
        log.dispose()
        runs.dispose()
