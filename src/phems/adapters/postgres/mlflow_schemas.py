"""Schemas of MLflow servers: one for each project, with a role of its own that reaches nothing else."""

from __future__ import annotations

import hashlib
import hmac

from psycopg2 import sql
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.provision import OWNER, execute_composed
from phems.errors import UnavailableError

PREFIX = "mlflow_"
_LONGEST = 63 - len("phems_")  # an identifier of Postgres, less what the role's name has before it
MOST_CONNECTIONS = 16

_STATEMENTS = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    f"CREATE SCHEMA IF NOT EXISTS {{schema}} AUTHORIZATION {OWNER}",
    "GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}",
    "ALTER ROLE {role} IN DATABASE {database} SET search_path = {schema}",
    "ALTER ROLE {role} IN DATABASE {database} SET lock_timeout = '30s'",
    "ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = '5min'",
)

_SIZE = text(
    "SELECT COALESCE(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :schema AND c.relkind = 'r'"
)


def schema_of(project: str) -> str:
    """The schema of a project; a name that Postgres would cut has a hash in place of its end."""
    name = PREFIX + project.replace("-", "_")
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(project.encode()).hexdigest()[:12]
    return f"{name[: _LONGEST - len(digest) - 1]}_{digest}"


def role_of(project: str) -> str:
    """The role that owns what is in it."""
    return f"phems_{schema_of(project)}"


def address_of(database: Database, project: str, secret: bytes) -> URL:
    """The address of a project's schema, by its own role."""
    return database.base.set(username=role_of(project), password=_password(project, secret))


def size_of(engine: Engine, project: str) -> int:
    """The bytes of a project's tables and their indexes; 0 where there are none. By any role."""
    with database_failures(), engine.connect() as connection:
        return int(connection.execute(_SIZE, {"schema": schema_of(project)}).scalar_one())


def bring_about(database: Database, project: str, secret: bytes) -> None:
    """Make the role and the schema, where an administrator is known; else see that they are there."""
    with database_failures():
        if database.admin is not None or database.server is not None:
            _provision(database.engine("admin"), project, _password(project, secret))
            return
        address = database.settings.applied(address_of(database, project, secret), "owner")
        engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
        try:
            engine.connect().close()
        except OperationalError as error:
            raise UnavailableError(
                f"The database has no place for the MLflow server of project {project}.",
                why=str(error.orig).strip(),
                remedy="phems db init, once more, with the address of an administrator",
            ) from error


def _provision(admin: Engine, project: str, password: str) -> None:
    role, schema = role_of(project), schema_of(project)
    with admin.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('phems roles'))"))
        known = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
        verb = "ALTER" if known.scalar() else "CREATE"
        made = sql.SQL(
            f"{verb} ROLE {{role}} LOGIN NOINHERIT CONNECTION LIMIT {MOST_CONNECTIONS} PASSWORD {{password}}"
        ).format(role=sql.Identifier(role), password=sql.Literal(password))
        execute_composed(connection, made)
        database = connection.execute(text("SELECT current_database()")).scalar_one()
        for statement in _STATEMENTS:
            names = {"role": role, "schema": schema, "database": database}
            named = {key: sql.Identifier(value) for key, value in names.items()}
            execute_composed(connection, sql.SQL(statement).format(**named))


def _password(project: str, secret: bytes) -> str:
    """Of the node's secret, so that whoever has the keys folder knows it, and nobody keeps it."""
    return hmac.new(secret, f"mlflow {project}".encode(), hashlib.sha256).hexdigest()
