"""The code revisions that runs on their way stand on, by the tag that admission stamps: port `CodeInUse`."""

from __future__ import annotations

from sqlalchemy import Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import ENDED, RUNS, has_table
from phems.engine.tags import CODE_TAG, PROJECT_TAG

_COMMITS = text(
    "SELECT DISTINCT c.value FROM dagster.runs r "
    "JOIN dagster.run_tags p ON p.run_id = r.run_id AND p.key = :project_tag AND p.value = :project "
    "JOIN dagster.run_tags c ON c.run_id = r.run_id AND c.key = :code_tag "
    "WHERE NOT r.status = ANY(:ended)"
)


class PostgresCodeInUse:
    """Over an engine of the role phems_dagster."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def commits(self, project: str) -> frozenset[str]:
        """See the port."""
        asked = {"project": project, "project_tag": PROJECT_TAG, "code_tag": CODE_TAG, "ended": ENDED}
        with database_failures(), self._engine.connect() as connection:
            if not has_table(connection, RUNS):
                return frozenset()  # a node that never served
            return frozenset(connection.execute(_COMMITS, asked).scalars())
