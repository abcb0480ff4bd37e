"""Runs the packaged migrations with the owner role. Idempotent; two starts at once wait for each other."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, text

from phems.adapters.postgres.failures import database_failures
from phems.adapters.postgres.tables import SCHEMA_VERSION, has_table
from phems.errors import UnavailableError

_SCHEMAS = ("audit", "engine", "governance")
_FOLDER = Path(__file__).with_name("migrations")


def migrate(owner: Engine, to: str | None = None) -> None:
    """Bring the schemas to what this version of the node needs, or to an earlier migration `to`.

    All of it happens or nothing, and nothing when a table would have fewer rows than before.
    """
    with owner.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('phems migrations'))"))
        if _current(connection) != (to or latest()):
            before = _rows(connection)
            _upgrade(connection, to or "head")
            _check_rows(before, _rows(connection))


def current(owner: Engine) -> str | None:
    """The migration that a database is at; None when it is none of a node."""
    with database_failures(), owner.connect() as connection:
        return _current(connection)


def latest() -> str:
    """The newest migration of this version of the node: their ids are numbers, in a row."""
    return max(file.name.partition("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*_*.py"))


def _current(connection: Connection) -> str | None:
    if not has_table(connection, SCHEMA_VERSION):
        return None
    return connection.execute(text("SELECT version_num FROM governance.schema_version")).scalar()


def _rows(connection: Connection) -> dict[str, int]:
    named = text("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = ANY(:schemas)")
    tables = connection.execute(named, {"schemas": list(_SCHEMAS)}).scalars().all()
    return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}  # noqa: S608 (our own tables)


def _check_rows(before: dict[str, int], after: dict[str, int]) -> None:
    lost = [name for name, rows in sorted(before.items()) if after.get(name, 0) < rows]
    if lost:
        raise UnavailableError(
            "The database was not brought to what this version of the node needs.",
            why=f"a migration would have lost rows of {', '.join(lost)}; nothing was changed.",
            remedy="Go on with the version of phems-node that you had, and tell its makers.",
        )


def _upgrade(connection: Connection, to: str) -> None:
    # Imported when there is something to do: it takes as long as the rest of a start.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # "%" is special to the configuration parser.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise UnavailableError(
            "The database cannot be brought to what this version of the node needs.",
            why=f"{error} (a later version of the node may have changed it already).",
            remedy="Use the version of phems-node that wrote it, or a later one.",
        ) from error
