"""What every reader of Dagster's tables by SQL asks first: are they there, and which runs have ended."""

from __future__ import annotations

from sqlalchemy import Connection, text

RUNS, EVENT_LOGS = "dagster.runs", "dagster.event_logs"
"""Made by Dagster when a node first serves."""
SCHEMA_VERSION = "governance.schema_version"
"""Made by the first migration."""
ENDED = ["SUCCESS", "FAILURE", "CANCELED"]
"""The statuses of runs that have ended, as `dagster.runs` has them."""


def has_table(connection: Connection, name: str) -> bool:
    """Whether the database has a table of this name, schema included."""
    return connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None
