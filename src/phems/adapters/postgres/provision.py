"""The roles, the database and the schemas: brought about at each start, changing nothing that is right.

Each role has a schema of its own and no way into another's; nobody but the node's roles may connect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from psycopg2 import sql
from sqlalchemy import Connection, Engine, text

from phems.errors import UnavailableError

OWNER = "phems_owner"
DAGSTER = "phems_dagster"
GOVERNANCE = "phems_governance"
ROLES = (OWNER, DAGSTER, GOVERNANCE)

_DEFAULT = f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA"
_READ_AND_WRITE = "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES"

# The order matters: schemas are made before rights are given on them.
STATEMENTS = (
    "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
    f"GRANT CONNECT ON DATABASE {{database}} TO {', '.join(ROLES)}",
    f"CREATE SCHEMA IF NOT EXISTS governance AUTHORIZATION {OWNER}",
    f"CREATE SCHEMA IF NOT EXISTS audit AUTHORIZATION {OWNER}",
    f"CREATE SCHEMA IF NOT EXISTS dagster AUTHORIZATION {OWNER}",
    f"CREATE SCHEMA IF NOT EXISTS engine AUTHORIZATION {OWNER}",
    "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    f"GRANT USAGE ON SCHEMA governance, audit TO {GOVERNANCE}",
    f"GRANT USAGE, CREATE ON SCHEMA dagster TO {DAGSTER}",
    f"GRANT USAGE ON SCHEMA engine TO {DAGSTER}",
    f"{_DEFAULT} governance {_READ_AND_WRITE} TO {GOVERNANCE}",
    f"{_DEFAULT} governance GRANT USAGE ON SEQUENCES TO {GOVERNANCE}",
    f"{_DEFAULT} engine {_READ_AND_WRITE} TO {DAGSTER}",
    # Who waits for ever for a lock, or holds one for ever, would stop every act of the node.
    f"ALTER ROLE {GOVERNANCE} IN DATABASE {{database}} SET lock_timeout = '30s'",
    f"ALTER ROLE {GOVERNANCE} IN DATABASE {{database}} SET idle_in_transaction_session_timeout = '5min'",
    f"ALTER ROLE {OWNER} IN DATABASE {{database}} SET search_path = governance, audit",
    f"ALTER ROLE {DAGSTER} IN DATABASE {{database}} SET search_path = dagster",
    f"ALTER ROLE {GOVERNANCE} IN DATABASE {{database}} SET search_path = governance, audit",
)


def provision_roles(admin: Engine, passwords: Mapping[str, str], *, reset_passwords: bool) -> None:
    """Make the roles that are missing.

    `reset_passwords` sets those of roles that exist as well: right for a server of our own, wrong for one
    that another node may use too.
    """
    with admin.begin() as connection:
        # Two starts at once would both make the role that is missing.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('phems roles'))"))
        known = set(connection.execute(text("SELECT rolname FROM pg_roles")).scalars())
        for role in ROLES:
            if role not in known:
                _run(
                    connection,
                    "CREATE ROLE {role} LOGIN NOINHERIT PASSWORD {password}",
                    role,
                    passwords,
                )
            elif reset_passwords:
                _run(connection, "ALTER ROLE {role} LOGIN PASSWORD {password}", role, passwords)
        superuser = connection.execute(
            text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        ).scalar()
        if not superuser:
            # An external server's role may make schemas that belong to the owner only as a member of it.
            connection.execute(text(f"GRANT {OWNER} TO CURRENT_USER"))


def provision_database(admin: Engine, name: str, *, template: str = "template0") -> None:
    """Make the database when it is missing; UTF8 whatever the server's default is."""
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        exists = connection.execute(
            text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}
        ).scalar()
        if not exists:
            statement = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'").format(
                name=sql.Identifier(name), template=sql.Identifier(template)
            )
            execute_composed(connection, statement)


def provision_schemas(admin: Engine) -> None:
    """Make the schemas and give the rights, in the database that `admin` is connected to."""
    with admin.begin() as connection:
        encoding = connection.execute(text("SHOW server_encoding")).scalar()
        if encoding != "UTF8":
            raise UnavailableError(
                f"The database has the encoding {encoding}.",
                why="names and paths are UTF-8.",
                remedy="Name a database made with: CREATE DATABASE phems ENCODING 'UTF8' TEMPLATE template0",
            )
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('phems schemas'))"))
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        for statement in STATEMENTS:
            composed = sql.SQL(statement).format(database=sql.Identifier(name))
            execute_composed(connection, composed)


def _run(connection: Connection, statement: str, role: str, passwords: Mapping[str, str]) -> None:
    composed = sql.SQL(statement).format(role=sql.Identifier(role), password=sql.Literal(passwords[role]))
    execute_composed(connection, composed)


def execute_composed(connection: Connection, composed: sql.Composed) -> None:
    """Execute DDL, which takes no parameters: psycopg2 quotes names and literals itself."""
    said = str(composed.as_string(cast("Any", connection.connection.driver_connection)))
    connection.exec_driver_sql(said.replace("%", "%%"))
