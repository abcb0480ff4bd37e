"""What the engine's tables say of a run for its lineage: port `EngineLineage`.

By SQL, as the lists of runs: a fan-out of ten thousand steps is a few rows here. What steps wrote is read by
Dagster's own classes (`phems.engine.materialised`), and never larger than is bounded here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from phems.adapters.postgres.engine_run_history import PostgresEngineRunHistory
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import EVENT_LOGS, RUNS, has_table
from phems.domain.run_lineage import EngineAsset, EngineRunFacts, EngineStep
from phems.engine.tags import PROJECT_TAG

MOST_STEPS = 1000
MOST_ASSETS = 500
MOST_BYTES = 2**20
"""Of the event of one materialisation."""
NOMINAL_TAG = ".dagster/scheduled_execution_time"

_STATUSES = text("SELECT run_id, status FROM dagster.runs WHERE run_id = ANY(:runs)")
_PROJECT = text("SELECT value FROM dagster.run_tags WHERE run_id = :run AND key = :tag")
# What a dynamic output adds to the name of a step begins with a bracket.
_STEPS = text(
    "SELECT split_part(step_key, '[', 1) AS name, "
    "min(timestamp) FILTER (WHERE dagster_event_type = 'STEP_START') AS started, "
    "max(timestamp) FILTER (WHERE dagster_event_type <> 'STEP_START') AS ended, "
    "bool_or(dagster_event_type = 'STEP_FAILURE') AS failed "
    "FROM dagster.event_logs WHERE run_id = :run AND step_key IS NOT NULL "
    "AND dagster_event_type IN ('STEP_START', 'STEP_SUCCESS', 'STEP_FAILURE') "
    "GROUP BY 1 HAVING bool_or(dagster_event_type = 'STEP_START') ORDER BY 2, 1 LIMIT :most"
)
_MADE = text(
    "SELECT DISTINCT ON (asset_key) asset_key, split_part(step_key, '[', 1) AS step, "
    "CASE WHEN octet_length(event) <= :bytes THEN event END AS event, "
    "count(*) OVER (PARTITION BY asset_key) AS times FROM dagster.event_logs e "
    "WHERE run_id = :run AND dagster_event_type = 'ASSET_MATERIALIZATION' AND step_key IS NOT NULL "
    "AND asset_key IN (SELECT asset_key FROM dagster.event_logs "
    "WHERE run_id = :run AND dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED') "
    "ORDER BY asset_key, id DESC LIMIT :most"
)
_PLANNED = text(
    "SELECT DISTINCT asset_key FROM dagster.event_logs "
    "WHERE asset_key = ANY(:keys) AND dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'"
)


class PostgresEngineLineage:
    """Over an engine of the role phems_dagster."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._history = PostgresEngineRunHistory(engine)

    def statuses(self, run_ids: Collection[str]) -> Mapping[str, str]:
        """See the port."""
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, RUNS):
                return {}  # a node that never served
            rows = connection.execute(_STATUSES, {"runs": list(run_ids)})
            return {row.run_id: row.status for row in rows}

    def facts(self, run_id: str) -> EngineRunFacts | None:
        """See the port."""
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, EVENT_LOGS):
                return None
            project = _tag(connection, run_id, PROJECT_TAG)
            nominal = _tag(connection, run_id, NOMINAL_TAG)
            steps = connection.execute(_STEPS, {"run": run_id, "most": MOST_STEPS}).all()
            asked = {"run": run_id, "most": MOST_ASSETS, "bytes": MOST_BYTES}
            made = connection.execute(_MADE, asked).all()
        run = self._history.one(project, run_id) if project is not None else None
        if run is None:
            return None
        return EngineRunFacts(
            run_id=run_id,
            project=run.project,
            job=run.job,
            status=run.status,
            created_at=run.created_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            nominal_at=_moment(nominal),
            steps=tuple(_step(row) for row in steps),
            assets=tuple(_asset(row) for row in made),
        )

    def planned(self, names: Collection[str]) -> frozenset[str]:
        """See the port."""
        keys = {json.dumps(name.split("/")): name for name in names}
        with database_failures(), self._engine.connect() as connection:
            if not keys or not has_table(connection, EVENT_LOGS):
                return frozenset()
            found = connection.execute(_PLANNED, {"keys": list(keys)}).scalars()
            return frozenset(keys[key] for key in found)


def _tag(connection: Connection, run_id: str, key: str) -> str | None:
    value: str | None = connection.execute(_PROJECT, {"run": run_id, "tag": key}).scalar()
    return value


def _step(row: Row[Any]) -> EngineStep:
    return EngineStep(
        name=row.name,
        started_at=row.started.replace(tzinfo=UTC),
        ended_at=None if row.ended is None else row.ended.replace(tzinfo=UTC),
        has_failed=row.failed,
    )


def _asset(row: Row[Any]) -> EngineAsset:
    from phems.engine.materialised import asset_of

    found = asset_of(row.event or "", name="/".join(json.loads(row.asset_key)), step=row.step)
    # Of several partitions there is a count each, and none of the whole.
    return found if row.times == 1 else found.without_rows()


def _moment(text_: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text_ or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
