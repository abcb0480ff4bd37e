"""What a role of the node may do in its database, as Postgres itself answers, and how its clock goes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from phems.adapters.postgres.connections import Role
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.failures import database_failures

CONNECT_SECONDS = 5
SCHEMAS = ("governance", "audit", "dagster", "engine")

_FACTS = text(
    """
    SELECT
      r.rolname AS name,
      current_setting('server_version') AS version,
      current_setting('server_version_num')::int / 10000 AS major,
      current_setting('max_connections')::int AS most_connections,
      (SELECT sum(numbackends) FROM pg_stat_database) AS connections,
      r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolreplication, r.rolbypassrls,
      has_database_privilege(current_database(), 'CREATE') AS makes_schemas,
      coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_tls,
      inet_server_addr() IS NULL AS is_socket,
      host(inet_server_addr()) AS server,
      ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspname = ANY(:schemas)) AS schemas,
      ARRAY(SELECT nspname::text FROM pg_namespace
            WHERE nspname = ANY(:schemas) AND has_schema_privilege(oid, 'USAGE')) AS enters,
      ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
            WHERE m.member = r.oid) AS member_of,
      coalesce((SELECT has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'audit' AND c.relname = 'entry'), false) AS rewrites_audit
    FROM pg_roles r WHERE r.rolname = current_user
    """
)
_ATTRIBUTES = {
    "rolsuper": "superuser",
    "rolcreaterole": "makes roles",
    "rolcreatedb": "makes databases",
    "rolreplication": "replicates",
    "rolbypassrls": "goes past row security",
    "makes_schemas": "makes schemas",
    "rewrites_audit": "rewrites the audit log",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """A role, and the server that it reaches."""

    name: str
    version: str
    major: int
    connections: int
    most_connections: int
    is_tls: bool
    server: str | None
    """The server's address; None for a Unix socket."""
    powers: tuple[str, ...]
    """What it may do that none of the node's roles needs when it runs, in words."""
    schemas: frozenset[str]
    """Those of the node's schemas that there are."""
    enters: frozenset[str]
    """The schemas of the node that it may use."""
    member_of: tuple[str, ...]
    clock_ahead: dt.timedelta
    """How far the server's clock is ahead of this machine's."""
    clock_doubt: dt.timedelta
    """How far that may be wrong: half of the time that the question took."""


def role_facts(database: Database, role: Role) -> RoleFacts:
    """Of one of the node's roles. UnavailableError when it cannot get in."""
    engine = _engine(database.address(role))
    with database_failures(), engine.connect() as connection:
        row = connection.execute(_FACTS, {"schemas": list(SCHEMAS)}).mappings().one()
        before = dt.datetime.now(dt.UTC)
        theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        after = dt.datetime.now(dt.UTC)
    doubt = (after - before) / 2
    return RoleFacts(
        name=row["name"],
        version=row["version"],
        major=row["major"],
        connections=row["connections"],
        most_connections=row["most_connections"],
        is_tls=row["is_tls"],
        server=None if row["is_socket"] else row["server"],
        powers=tuple(words for column, words in _ATTRIBUTES.items() if row[column]),
        schemas=frozenset(row["schemas"]),
        enters=frozenset(row["enters"]),
        member_of=tuple(sorted(row["member_of"])),
        clock_ahead=theirs - (before + doubt),
        clock_doubt=doubt,
    )


def _engine(address: URL) -> Engine:
    # A server behind a firewall that drops packets must not hold up who only looks.
    limits = {"connect_timeout": CONNECT_SECONDS, "options": "-c statement_timeout=10s"}
    return create_engine(address, poolclass=NullPool, hide_parameters=True, connect_args=limits)
