"""Rows of Dagster's tables copied within the database: a size in seconds that would take days of work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Every copy of a run has an id that is made of its number: told apart, and of the usual form.
COPY_ID = "md5(%(seed)s || number)::uuid::text"
_CHANGED: Mapping[str, Mapping[str, str]] = {
    "runs": {"run_id": "copy_id", "run_body": "replace(run_body, run_id, copy_id)"},
    "run_tags": {"run_id": "copy_id"},
    "event_logs": {"run_id": "copy_id", "event": "replace(event, run_id, copy_id)"},
}


def copy_run(
    cursor: Any, run_id: str, first: int, last: int, tables: tuple[str, ...] = tuple(_CHANGED)
) -> None:
    """Copy a run, with its tags and its events, as numbers `first` to `last`."""
    for table in tables:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
            "AND table_schema = current_schema() AND column_name <> 'id' ORDER BY ordinal_position",
            (table,),
        )
        names = [row[0] for row in cursor.fetchall()]
        values = ", ".join(_CHANGED[table].get(name, name) for name in names)
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} "  # noqa: S608 (names of Dagster's own)
            f"FROM (SELECT *, {COPY_ID} AS copy_id FROM {table}, "
            "generate_series(%(first)s::int, %(last)s::int) AS number WHERE run_id = %(run)s) AS copied",
            {"seed": run_id, "run": run_id, "first": first, "last": last},
        )
        # As autovacuum would have done over the months in which such a history comes about.
        cursor.execute(f"VACUUM (ANALYZE) {table}")
