"""What projects used: CPU time by day, and what Dagster's tables say of runs, steps and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import EVENT_LOGS, has_table
from phems.engine.counted_starter import RunOf
from phems.engine.tags import PROJECT_TAG
from phems.services.ports.usage import RunCpu, RunUsage

_ADD = text(
    "INSERT INTO engine.project_cpu (project, day, seconds) "
    "VALUES (:project, (now() AT TIME ZONE 'UTC')::date, :seconds) "
    "ON CONFLICT (project, day) DO UPDATE SET seconds = project_cpu.seconds + excluded.seconds"
)
_CPU = text(
    "SELECT project, sum(seconds) AS seconds FROM engine.project_cpu "
    "WHERE day BETWEEN :since AND :until GROUP BY project"
)
_ADD_TOLD = text(
    "INSERT INTO engine.run_cpu (run_id, project, day, told_seconds) "
    "VALUES (:run_id, :project, (now() AT TIME ZONE 'UTC')::date, :seconds) "
    "ON CONFLICT (run_id) DO UPDATE SET told_seconds = run_cpu.told_seconds + excluded.told_seconds"
)
_TOLD = text(
    "SELECT run_id, project, day, told_seconds FROM engine.run_cpu "
    "WHERE day BETWEEN :since AND :until ORDER BY day, run_id"
)
_RUNS = text(
    "SELECT p.value AS project, count(*) AS found FROM dagster.runs r "
    "JOIN dagster.run_tags p ON p.run_id = r.run_id AND p.key = :tag "
    "WHERE r.create_timestamp >= :begin AND r.create_timestamp < :end GROUP BY p.value"
)
_STEPS = text(
    "SELECT p.value AS project, count(*) AS found FROM dagster.event_logs e "
    "JOIN dagster.run_tags p ON p.run_id = e.run_id AND p.key = :tag "
    "WHERE e.dagster_event_type = 'STEP_START' AND e.timestamp >= :begin AND e.timestamp < :end "
    "GROUP BY p.value"
)
_EVENT_BYTES = text(
    "SELECT p.value AS project, sum(octet_length(e.event)) AS found FROM dagster.event_logs e "
    "JOIN dagster.run_tags p ON p.run_id = e.run_id AND p.key = :tag GROUP BY p.value"
)
_IDS = text("SELECT run_id, value AS project FROM dagster.run_tags WHERE key = :tag")


class PostgresProjectUsage:
    """Over an engine of the role phems_dagster."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, project: str, seconds: float) -> None:
        """Count CPU seconds that a project used today."""
        with database_failures(), self._engine.begin() as connection:
            connection.execute(_ADD, {"project": project, "seconds": seconds})

    def add_told(self, seconds: Mapping[RunOf, float]) -> None:
        """Count CPU seconds that runs are said to have used; all of them, or none."""
        rows = [
            {"run_id": run_id, "project": project, "seconds": each}
            for (run_id, project), each in sorted(seconds.items())
        ]
        with database_failures(), self._engine.begin() as connection:
            connection.execute(_ADD_TOLD, rows)

    def runs_between(self, since: date, until: date) -> Sequence[RunCpu]:
        """See the port."""
        with database_failures(), self._engine.connect() as connection:
            rows = connection.execute(_TOLD, {"since": since, "until": until})
            return [RunCpu(row.run_id, row.project, row.day, row.told_seconds) for row in rows]

    def between(self, since: date, until: date) -> Mapping[str, RunUsage]:
        """See the port."""
        begin = datetime(since.year, since.month, since.day)  # noqa: DTZ001 (Dagster's columns are UTC without a zone)
        last = datetime(until.year, until.month, until.day) + timedelta(days=1)  # noqa: DTZ001
        asked = {"tag": PROJECT_TAG, "begin": begin, "end": last}
        with database_failures(), self._engine.connect() as connection:
            cpu = {
                row.project: float(row.seconds)
                for row in connection.execute(_CPU, {"since": since, "until": until})
            }
            has_served = has_table(connection, EVENT_LOGS)
            runs = _found(connection, _RUNS, asked) if has_served else {}
            steps = _found(connection, _STEPS, asked) if has_served else {}
            events = _found(connection, _EVENT_BYTES, {"tag": PROJECT_TAG}) if has_served else {}
        return {
            name: RunUsage(
                runs=runs.get(name, 0),
                steps=steps.get(name, 0),
                cpu_seconds=cpu.get(name, 0.0),
                event_bytes=events.get(name, 0),
            )
            for name in {*cpu, *runs, *steps, *events}
        }

    def run_ids(self) -> Mapping[str, str]:
        """The project of each run."""
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, EVENT_LOGS):
                return {}
            return {row.run_id: row.project for row in connection.execute(_IDS, {"tag": PROJECT_TAG})}


def _found(connection: Connection, query: object, asked: Mapping[str, object]) -> dict[str, int]:
    return {row.project: int(row.found) for row in connection.execute(query, dict(asked))}  # type: ignore[call-overload]
