"""The runs of projects, read from Dagster's run storage: port `EngineRunHistory`.

By SQL: a list of runs needs a few columns and no Dagster; a test holds them against Dagster's own storage.
A run is a project's by the tag that the node stamps on it, and that it lets nobody else set.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Row, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import EVENT_LOGS, has_table
from phems.engine.stored_names import ASSET_JOB
from phems.engine.tags import MLFLOW_TAG, PROJECT_TAG, REQUESTER_TAG
from phems.services.ports.engine_runs import EngineRun

REFUSED = "Refused: "
_RUNS = (
    "SELECT r.id, r.run_id, r.pipeline_name, r.status, r.partition, r.create_timestamp, r.start_time, "
    "r.end_time, p.value AS project, q.value AS requester, m.value AS mlflow FROM dagster.runs r "
    "JOIN dagster.run_tags p ON p.run_id = r.run_id AND p.key = :project_tag "
    "LEFT JOIN dagster.run_tags q ON q.run_id = r.run_id AND q.key = :requester_tag "
    "LEFT JOIN dagster.run_tags m ON m.run_id = r.run_id AND m.key = :mlflow_tag "
)
_OF_PROJECT = text(
    f"{_RUNS} WHERE p.value = :project AND (CAST(:before AS bigint) IS NULL OR r.id < :before) "
    "ORDER BY r.id DESC LIMIT :limit"
)
_ONE = text(f"{_RUNS} WHERE r.run_id = :run_id AND p.value = :project")
_OF_PERSON = text(
    f"{_RUNS} WHERE q.value = :person AND p.value = ANY(:projects) AND r.status = ANY(:statuses) "
    "AND r.create_timestamp >= :since ORDER BY r.id DESC LIMIT :limit"
)
_FAILURE = text(
    "SELECT event FROM dagster.event_logs WHERE run_id = :run_id "
    "AND dagster_event_type = 'PIPELINE_FAILURE' ORDER BY id DESC LIMIT 1"
)


class PostgresEngineRunHistory:
    """Over an engine of the role phems_dagster."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_project(self, project: str, *, before: int | None, limit: int) -> Sequence[EngineRun]:
        """See the port."""
        return self._runs(_OF_PROJECT, project=project, before=before, limit=limit)

    def one(self, project: str, run_id: str) -> EngineRun | None:
        """See the port."""
        return next(iter(self._runs(_ONE, project=project, run_id=run_id)), None)

    def refusal(self, run_id: str) -> str | None:
        """See the port."""
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, EVENT_LOGS):
                return None
            event = connection.execute(_FAILURE, {"run_id": run_id}).scalar()
        return _refusal(event) if event is not None else None

    def of_person(
        self,
        person: str,
        projects: Collection[str],
        *,
        statuses: Collection[str],
        since: datetime,
        limit: int,
    ) -> Sequence[EngineRun]:
        """See the port."""
        naive = since.astimezone(UTC).replace(tzinfo=None)  # as Dagster keeps it
        asked = {"person": person, "projects": list(projects), "statuses": list(statuses), "since": naive}
        return self._runs(_OF_PERSON, **asked, limit=limit)

    def _runs(self, query: Any, **values: Any) -> list[EngineRun]:
        tags = {"project_tag": PROJECT_TAG, "requester_tag": REQUESTER_TAG, "mlflow_tag": MLFLOW_TAG}
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, EVENT_LOGS):
                return []
            return [_run(row) for row in connection.execute(query, {**tags, **values})]


def _run(row: Row[Any]) -> EngineRun:
    return EngineRun(
        number=row.id,
        run_id=row.run_id,
        project=row.project,
        job=None if row.pipeline_name.startswith(ASSET_JOB) else row.pipeline_name,
        status=row.status,
        partition=row.partition,
        requester=row.requester,
        created_at=row.create_timestamp.replace(tzinfo=UTC),
        started_at=_moment(row.start_time),
        ended_at=_moment(row.end_time),
        mlflow=row.mlflow,
    )


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def _refusal(event: str) -> str | None:
    # A run's failure is a run-level event: the node alone writes these.
    try:
        message = json.loads(event)["dagster_event"]["message"]
    except (KeyError, TypeError, ValueError):
        return None
    return message.removeprefix(REFUSED) if str(message).startswith(REFUSED) else None
