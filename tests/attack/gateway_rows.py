"""What is in a node's database, table by table: an attack that was refused has changed none of it."""

from __future__ import annotations

from gateway_node import GatewayNode
from sqlalchemy import text

# What moves while nobody does anything, and the times at which a token or session was last used. Lineage is
# derived from what is committed, a while after it: the runs that a node begins with may still be told.
_MOVING = frozenset(
    {
        "dagster.daemon_heartbeats",
        "dagster.instigators",
        "dagster.job_ticks",
        "governance.api_tokens",
        "governance.lineage_events",
        "governance.lineage_targets",
        "governance.lineage_untold",
        "governance.user_sessions",
    }
)
# Of some tables what moves by itself is left out: of schedules and sensors, all but that one was switched;
# of assets, that Dagster's daemon notes within half a minute how fresh each is, and keeps a row for it.
_BY_SOMEBODY = "dagster_event_type IS DISTINCT FROM 'FRESHNESS_STATE_CHANGE'"
_COLUMNS = {
    "dagster.asset_keys": "(t.asset_key, t.last_materialization, t.last_run_id, t.wipe_timestamp, t.tags)",
    "dagster.jobs": "(t.selector_id, t.status)",
}
_PARTS = {
    "dagster.asset_keys": (
        f"WHERE asset_key IN (SELECT asset_key FROM dagster.event_logs WHERE {_BY_SOMEBODY})"  # noqa: S608
    ),
    "dagster.event_logs": f"WHERE {_BY_SOMEBODY}",
    "dagster.jobs": "WHERE status <> 'DECLARED_IN_CODE'",
    "dagster.kvs": "WHERE key NOT LIKE 'EVENT_LOG_CONSUMER_CURSOR-%'",
}
AUDIT = "audit.entry"


def rows(node: GatewayNode, *, without: frozenset[str] = frozenset()) -> dict[str, tuple[int, str]]:
    """Each table with how many rows it has, and a digest of them."""
    with node.serving.node.database.engine("admin").begin() as connection:
        tables = connection.execute(
            text(
                "SELECT schemaname || '.' || tablename FROM pg_tables "
                "WHERE schemaname IN ('audit', 'dagster', 'governance')"
            )
        ).scalars()
        found = {}
        for table in sorted(set(tables) - _MOVING - without):
            row = f"{_COLUMNS.get(table, 't')}::text"
            digest = text(
                f"SELECT count(*), coalesce(md5(string_agg({row}, '|' ORDER BY {row})), '') "  # noqa: S608 - names of our own
                f"FROM {table} AS t {_PARTS.get(table, '')}"
            )
            count, md5 = connection.execute(digest).one()
            found[table] = (count, md5)
        return found
