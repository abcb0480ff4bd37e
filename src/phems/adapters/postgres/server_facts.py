"""What the database server says of itself, to the role that governance has."""

from __future__ import annotations

from sqlalchemy import Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.services.ports.node_health import DatabaseFacts

_FACTS = text(
    "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size, "
    "(SELECT sum(numbackends) FROM pg_stat_database) AS connections, "
    "current_setting('max_connections')::int AS most, pg_postmaster_start_time() AS started_at"
)


class PostgresServer:
    """A database server; see `services.ports.node_health.DatabaseServer`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def facts(self) -> DatabaseFacts:
        """What it says now."""
        with database_failures(), self._engine.connect() as connection:
            row = connection.execute(_FACTS).one()
        return DatabaseFacts(
            version=row.version,
            size_bytes=row.size,
            connections=row.connections,
            most_connections=row.most,
            started_at=row.started_at,
        )
