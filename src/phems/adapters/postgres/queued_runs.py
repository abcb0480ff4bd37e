"""The front of the run queue, read from Dagster's run storage: port `QueuedRuns`.

By SQL: Postgres sorts ten thousand rows in the time in which Dagster reads a hundred runs. A test holds the
order against Dagster's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.engine.tags import PROJECT_TAG

PRIORITY_TAG = "dagster/priority"
_ACTIVE = ["STARTING", "STARTED", "CANCELING"]
# What Dagster takes for a number; whatever else is written there counts as none.
_NUMBER = r"^\s*[+-]?[0-9]{1,18}\s*$"
_PRIORITY = "CASE WHEN w.value ~ :number THEN w.value::bigint ELSE 0 END"
_QUEUED = (
    f"SELECT r.id, r.run_id, {_PRIORITY} AS priority FROM dagster.runs r "  # noqa: S608 (constants)
    "LEFT JOIN dagster.run_tags w ON w.run_id = r.run_id AND w.key = :priority_tag "
)
_FIRST = text(
    "WITH limits AS MATERIALIZED ("  # noqa: S608
    "  SELECT l.project, l.most - (SELECT count(*) FROM dagster.runs r "
    "    JOIN dagster.run_tags p ON p.run_id = r.run_id AND p.key = :project_tag AND p.value = l.project "
    "    WHERE r.status = ANY(:active)) AS room "
    "  FROM unnest(CAST(:projects AS text[]), CAST(:most AS int[])) AS l(project, most)) "
    "SELECT front.run_id FROM ("
    "  SELECT q.* FROM limits l CROSS JOIN LATERAL ("
    f"    {_QUEUED} JOIN dagster.run_tags p "
    "     ON p.run_id = r.run_id AND p.key = :project_tag AND p.value = l.project "
    "    WHERE r.status = 'QUEUED' ORDER BY priority DESC, r.id LIMIT greatest(l.room, 0)) q "
    "  UNION ALL SELECT * FROM ("
    f"   {_QUEUED} WHERE r.status = 'QUEUED' AND NOT EXISTS (SELECT FROM dagster.run_tags p "
    "     WHERE p.run_id = r.run_id AND p.key = :project_tag AND p.value = ANY(CAST(:projects AS text[]))) "
    "    ORDER BY priority DESC, r.id LIMIT :others) others) front "
    "ORDER BY front.priority DESC, front.id"
)


class PostgresQueuedRuns:
    """Over an engine of the role phems_dagster."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def first(self, most: Mapping[str, int], *, others: int) -> Sequence[str]:
        """See the port."""
        values = {
            "projects": list(most),
            "most": list(most.values()),
            "active": _ACTIVE,
            "number": _NUMBER,
            "project_tag": PROJECT_TAG,
            "priority_tag": PRIORITY_TAG,
            # With 0 Postgres does not begin to look: telling them apart means reading the whole queue.
            "others": others,
        }
        with database_failures(), self._engine.connect() as connection:
            return list(connection.execute(_FIRST, values).scalars())
