"""When runs began and ended, as the publisher reads it: from Dagster's own storage, without Dagster."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from dagster import DagsterEvent, DagsterEventType, DagsterRun, EventLogEntry
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.engine_run_history import PostgresEngineRunHistory
from phems.adapters.postgres.engine_runs import PostgresEngineRuns
from phems.domain.release_facts import RunTimes
from phems.engine.tags import PROJECT_TAG, REQUESTER_TAG


def test_what_dagster_stores_is_what_is_read(database: Database) -> None:
    """Otherwise an upgrade of Dagster empties the lineage of every package."""
    runs = PostgresEngineRuns(database.engine("dagster"))
    assert runs.times("no-such-run") is None  # a node that never served has no tables of the engine
    storage = PostgresRunStorage.create_clean_storage(database.url("dagster"))
    try:
        for run_id in ("finished", "waiting"):
            storage.add_run(DagsterRun(job_name="analysis", run_id=run_id))
        began = datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
        ended = datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC)
        for kind, at in ((DagsterEventType.RUN_START, began), (DagsterEventType.RUN_SUCCESS, ended)):
            event = DagsterEvent(kind.value, "analysis")
            storage.handle_run_event("finished", event, update_timestamp=at)
        assert runs.times("finished") == RunTimes("SUCCESS", began, ended)
        assert runs.times("waiting") == RunTimes("NOT_STARTED", None, None)
        assert runs.times("no-such-run") is None
    finally:
        storage.dispose()


def test_a_projects_runs_are_what_dagster_stores_of_them(database: Database) -> None:
    """Otherwise an upgrade of Dagster empties the pages of runs, or shows one project's to another."""
    history = PostgresEngineRunHistory(database.engine("dagster"))
    assert history.of_project("heart", before=None, limit=10) == []  # a node that never served
    assert history.refusal("no-such-run") is None
    url = database.url("dagster")
    storage, events = PostgresRunStorage.create_clean_storage(url), PostgresEventLogStorage(url)
    try:
        for number, (project, job) in enumerate(
            [("heart", "analysis"), ("heart", "__ASSET_JOB"), ("breast", "analysis")]
        ):
            tags = {PROJECT_TAG: project, REQUESTER_TAG: "ana"}
            storage.add_run(DagsterRun(job_name=job, run_id=f"run-{number}", tags=tags))
        failed = DagsterEvent(DagsterEventType.RUN_FAILURE.value, "analysis", message="Refused: too soon")
        storage.handle_run_event("run-0", failed, update_timestamp=datetime.now(UTC))
        events.store_event(
            EventLogEntry(None, 40, "", "run-0", time.time(), job_name="analysis", dagster_event=failed)
        )
        latest, first = history.of_project("heart", before=None, limit=10)
        assert (latest.run_id, latest.job, first.job, first.status) == ("run-1", None, "analysis", "FAILURE")
        assert [run.run_id for run in history.of_project("heart", before=latest.number, limit=10)] == [
            "run-0"
        ]
        assert abs(datetime.now(UTC) - first.created_at) < timedelta(minutes=10)
        assert history.one("breast", "run-0") is None
        assert history.one("heart", "run-0") == first
        assert history.refusal("run-0") == "too soon"
        assert history.refusal("run-1") is None
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        own = history.of_person("ana", ["heart"], statuses=["FAILURE"], since=hour_ago, limit=5)
        assert [run.run_id for run in own] == ["run-0"]
        assert history.of_person("ben", ["heart"], statuses=["FAILURE"], since=hour_ago, limit=5) == []
    finally:
        events.dispose()
        storage.dispose()
