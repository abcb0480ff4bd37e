"""When runs began and ended, as the publisher reads it: from Dagster's own storage, without Dagster."""

from __future__ import annotations

from datetime import UTC, datetime

from dagster import DagsterEvent, DagsterEventType, DagsterRun
from dagster_postgres import PostgresRunStorage

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.engine_runs import PostgresEngineRuns
from phems.domain.release_facts import RunTimes


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
