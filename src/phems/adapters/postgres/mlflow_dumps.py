"""Dumps of what MLflow servers keep in Postgres: one for each project, by the project's own role.

Each is of one moment, though not of the same as the node's own dumps: MLflow's notes may be a moment behind.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL

from phems.adapters.postgres.database import Database
from phems.adapters.postgres.dumps import load_one, major_of, run_program
from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.mlflow_schemas import address_of, bring_about, schema_of
from phems.adapters.postgres.tables import has_table
from phems.adapters.secret_keys import load_or_create_secret


def dump_name(project: str) -> str:
    """The file that a project's dump is."""
    return f"mlflow-{project}.dump"


def dump_mlflow(database: Database, project: str, key: Path, folder: Path) -> str | None:
    """Write the dump of a project's server; its name, or None when the server was never started."""
    schema = schema_of(project)
    with database_failures(), database.engine("owner").connect() as connection:
        if not has_table(connection, f"{schema}.alembic_version"):
            return None
        major = major_of(connection)
    name = dump_name(project)
    words = ["--format=custom", "--no-password", f"--file={folder / name}", f"--schema={schema}"]
    run_program("pg_dump", major, _address(database, project, key), words)
    return name


def load_mlflow(database: Database, project: str, key: Path, folder: Path) -> None:
    """Make role and schema, and bring the dump in `folder` into it; nothing when there is none."""
    dumped = folder / dump_name(project)
    if not dumped.exists():
        return
    bring_about(database, project, load_or_create_secret(key))
    with database_failures(), database.engine("owner").connect() as connection:
        major = major_of(connection)
    load_one(dumped, major, _address(database, project, key))


def _address(database: Database, project: str, key: Path) -> URL:
    address = address_of(database, project, load_or_create_secret(key))
    return database.settings.applied(address, "owner")
