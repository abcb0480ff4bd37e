"""Runs the packaged migrations with the owner role. Idempotent; two starts at once wait for each other."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, text

from phems.errors import UnavailableError

_FOLDER = Path(__file__).with_name("migrations")


def migrate(owner: Engine) -> None:
    """Bring the schemas `governance` and `audit` to what this version of the node needs."""
    with owner.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('phems migrations'))"))
        if _current(connection) != latest():
            _upgrade(connection)


def latest() -> str:
    """The newest migration of this version of the node: their ids are numbers, in a row."""
    return max(file.name.partition("_")[0] for file in (_FOLDER / "versions").glob("[0-9]*_*.py"))


def _current(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('governance.schema_version')")).scalar() is None:
        return None
    return connection.execute(text("SELECT version_num FROM governance.schema_version")).scalar()


def _upgrade(connection: Connection) -> None:
    # Imported when there is something to do: it takes as long as the rest of a start.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # "%" is special to the configuration parser.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UnavailableError(
            "The database cannot be brought to what this version of the node needs.",
            why=f"{error} (a later version of the node may have changed it already).",
            remedy="Use the version of phems-node that wrote it, or a later one.",
        ) from error
