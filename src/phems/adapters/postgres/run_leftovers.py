"""What runs left behind: events in Dagster's tables, folders on the disk. Port `RunLeftovers`.

By SQL, as the lists of runs: which runs there are, when they ended, and what the engine holds back of them. A
run is a project's by the tag that the node stamps on it, and that it lets nobody else set.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import text

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.dumps import keeping
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import ENDED, EVENT_LOGS, has_table
from phems.domain.retention import Area, EndedRun, Hold
from phems.engine.tags import PROJECT_TAG
from phems.services.ports.retention import Leftover

_RUNS = text(
    "SELECT r.run_id, CASE WHEN r.status = ANY(:ended) THEN "
    "COALESCE(r.end_time, extract(epoch FROM r.update_timestamp AT TIME ZONE 'UTC')) END AS ended "
    "FROM dagster.runs r "
    "JOIN dagster.run_tags p ON p.run_id = r.run_id AND p.key = :tag AND p.value = :project"
)
_GONE_ON_FROM = text(
    "SELECT DISTINCT t.value FROM dagster.run_tags t JOIN dagster.runs r ON r.run_id = t.run_id "
    "WHERE t.key IN ('dagster/parent_run_id', 'dagster/root_run_id') AND NOT r.status = ANY(:ended)"
)
# Materialised, observed or checked: of each kind the last of each partition.
_LAST_WORDS = text(
    "SELECT DISTINCT run_id FROM (SELECT DISTINCT ON (asset_key, partition, dagster_event_type) run_id "
    "FROM dagster.event_logs WHERE asset_key IS NOT NULL "
    "ORDER BY asset_key, partition, dagster_event_type, id DESC) AS last"
)
_MEASURED = text(
    "SELECT run_id, count(*) AS items, sum(octet_length(event)) AS bytes FROM dagster.event_logs "
    "WHERE run_id = ANY(:runs) GROUP BY run_id"
)
_REMOVE = text("DELETE FROM dagster.event_logs WHERE run_id = ANY(:runs)")


class RunPlaces(Protocol):
    """Where files of runs lie: folders, or a bucket."""

    def measure(self, project: str, area: Area, run_id: str) -> tuple[int, int]:
        """How many files a run has there, and their bytes."""
        ...

    def remove(self, project: str, area: Area, run_id: str) -> None:
        """Remove them. Idempotent."""
        ...


class NodeLeftovers:
    """Over the database of a node and the places of its files."""

    def __init__(self, database: Database, *places: RunPlaces) -> None:
        self._database = database
        self._places = places

    def runs(self, project: str) -> Sequence[EndedRun]:
        """See the port."""
        with database_failures(), self._database.engine("dagster").connect() as connection:
            if not has_table(connection, EVENT_LOGS):
                return []  # a node that never served
            asked = {"tag": PROJECT_TAG, "project": project, "ended": ENDED}
            found = connection.execute(_RUNS, asked).all()
            gone_on = set(connection.execute(_GONE_ON_FROM, {"ended": ENDED}).scalars())
            last_words = set(connection.execute(_LAST_WORDS).scalars())
        return [
            EndedRun(
                run_id=row.run_id,
                ended_at=None if row.ended is None else datetime.fromtimestamp(float(row.ended), UTC),
                holds=frozenset(
                    hold
                    for hold, held in ((Hold.RERUN, gone_on), (Hold.ASSET, last_words))
                    if row.run_id in held
                ),
            )
            for row in found
        ]

    def measure(self, project: str, area: Area, run_ids: Sequence[str]) -> Sequence[Leftover]:
        """See the port."""
        if area is not Area.EVENT_LOGS:
            sizes = ((run_id, *self._measured(project, area, run_id)) for run_id in run_ids)
            return [Leftover(run_id=name, items=files, bytes=size) for name, files, size in sizes if files]
        with database_failures(), self._database.engine("dagster").connect() as connection:
            rows = connection.execute(_MEASURED, {"runs": list(run_ids)}).all()
        found = {row.run_id: Leftover(run_id=row.run_id, items=row.items, bytes=row.bytes) for row in rows}
        return [found[run_id] for run_id in run_ids if run_id in found]

    def remove(self, project: str, area: Area, run_ids: Sequence[str]) -> None:
        """See the port."""
        if area is not Area.EVENT_LOGS:
            for run_id in run_ids:
                for place in self._places:
                    place.remove(project, area, run_id)
            return
        with database_failures(), self._database.engine("dagster").begin() as connection:
            connection.execute(_REMOVE, {"runs": list(run_ids)})

    def _measured(self, project: str, area: Area, run_id: str) -> tuple[int, int]:
        found = [place.measure(project, area, run_id) for place in self._places]
        return sum(files for files, _ in found), sum(size for _, size in found)

    def held(self) -> AbstractContextManager[None]:
        """See the port."""
        return keeping(self._database)
