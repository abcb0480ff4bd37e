"""What Dagster's run storage says of when runs began and ended: port `EngineRuns`.

Two columns of one table are read by SQL, because a process that publishes need not load Dagster for it. A
test holds them against Dagster's own storage.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import RUNS, has_table
from phems.domain.release_facts import RunTimes


class PostgresEngineRuns:
    """Over an engine of the role phems_dagster."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def times(self, run_id: str) -> RunTimes | None:
        """See the port."""
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, RUNS):
                return None  # a node that never served has no engine tables yet
            row = connection.execute(
                text("SELECT status, start_time, end_time FROM dagster.runs WHERE run_id = :run"),
                {"run": run_id},
            ).first()
        return RunTimes(row.status, _moment(row.start_time), _moment(row.end_time)) if row else None


def _moment(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
