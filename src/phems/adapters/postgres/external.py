"""An external Postgres: set up once with an administrator's address, used from then on without one.

`initialise` is `phems db init`. An address without a user is all that a node needs afterwards: it comes with
its own roles, whose passwords lie in the keys folder, and changes nothing but rows. An address with a user is
an administrator's: then everything is brought about at each start, as in a Postgres of the node's own.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from phems.adapters.postgres import node_state
from phems.adapters.postgres.connections import ConnectionSettings
from phems.adapters.postgres.credentials import load, load_or_create
from phems.adapters.postgres.database import CREDENTIALS_FILE, Database, Fill, set_up
from phems.errors import InputError, UnavailableError

INIT = "phems db init"


def open_external(
    address: str, *, keys: Path, start: bool, settings: ConnectionSettings | None = None
) -> Database:
    """The database at an address; see the module's docstring, and `open_database` for `start`."""
    named = _read(address, "database.url in node.yaml")
    passwords = keys / CREDENTIALS_FILE
    base = named.set(username=None, password=None)
    connections = settings or ConnectionSettings()
    if named.username is not None:
        database = Database(base, load_or_create(passwords), admin=named, settings=connections)
        if start:
            set_up(database, reset_passwords=False)
        return database
    if not passwords.exists():
        raise UnavailableError(
            "The node's database was not set up.",
            why=f"database.url names no user, and there are no passwords of the node's roles in {passwords}.",
            remedy=f"{INIT}, once, with the address of an administrator; or restore the keys folder.",
        )
    database = Database(base, load(passwords), settings=connections)
    if start:
        node_state.check_migrated(database.engine("governance"), remedy=INIT)
    return database


def initialise(
    address: str,
    admin: str,
    *,
    keys: Path,
    settings: ConnectionSettings,
    reset_passwords: bool,
    fill: Fill | None = None,
) -> Database:
    """Bring everything about at `address`, as the administrator of the same server, `admin`. Idempotent.

    `reset_passwords` gives the roles that exist the passwords in the keys folder.
    """
    named, administrator = _read(address, "database.url in node.yaml"), _read(admin, "The administrator")
    if administrator.username is None:
        raise InputError(
            "The administrator's address names no user.",
            why="it must be that of a role which may create roles and databases.",
            remedy="export PHEMS_DB_ADMIN=postgresql://postgres:password@host/postgres",
        )
    database = Database(
        named.set(username=None, password=None),
        load_or_create(keys / CREDENTIALS_FILE),
        admin=administrator.set(database=named.database),
        settings=settings,
    )
    set_up(database, reset_passwords=reset_passwords, fill=fill)
    return database


def _read(address: str, what: str) -> URL:
    try:
        url = make_url(address).set(drivername="postgresql")
        is_one = make_url(address).get_backend_name() in {"postgresql", "postgres"} and url.database
    except ArgumentError:
        is_one = None
    if not is_one:
        raise InputError(
            f"{what} is not the address of a Postgres database.",
            why="it is read as postgresql://host:port/database, or with user:password@ before the host.",
            remedy="Correct it; or leave database.url out, for a Postgres of the node's own.",
        )
    return url
