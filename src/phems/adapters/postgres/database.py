"""One node's database, embedded or external: its addresses and engines, one a role.

`open_embedded` starts the embedded server (or finds it running), brings roles, schemas and migrations
about, and gives a `Database`. `external` has the same for a server elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from phems.adapters.postgres import provision
from phems.adapters.postgres.connections import ConnectionSettings, Role, pool_of
from phems.adapters.postgres.credentials import Credentials, load, load_or_create
from phems.adapters.postgres.embedded import ADMIN, EmbeddedPostgres, socket_dir
from phems.adapters.postgres.keeper import PostgresKeeper
from phems.adapters.postgres.migrate import migrate
from phems.adapters.postgres.process import running_postmaster
from phems.errors import UnavailableError

DATABASE = "phems"
CREDENTIALS_FILE = "database.json"

_USERS: Mapping[Role, str] = {
    "admin": ADMIN,
    "owner": provision.OWNER,
    "dagster": provision.DAGSTER,
    "governance": provision.GOVERNANCE,
}


_MADE: tuple[Role, ...] = ("owner", "dagster", "governance")


@dataclass
class Database:
    """Addresses and engines by role. `close()` closes the engines, and the server if it was started here."""

    base: URL
    """The address without user and password."""
    credentials: Credentials
    server: EmbeddedPostgres | None = None
    keeper: PostgresKeeper | None = None
    admin: URL | None = None
    """The administrator's address of an external server, when one is known."""
    settings: ConnectionSettings = field(default_factory=ConnectionSettings)
    _engines: dict[Role, Engine] = field(default_factory=dict)

    def url(self, role: Role) -> str:
        """A libpq address with the role's password, for psycopg2 and Dagster's storage. Keep it secret."""
        address, mark, query = self.address(role).render_as_string(hide_password=False).partition("?")
        return address + mark + query.replace("+", "%20")  # libpq does not take a plus for a space

    def engine(self, role: Role) -> Engine:
        """A pooled engine, one a role; connections are checked before use, so a restart is survived."""
        if role not in self._engines:
            # Values stay out of the errors that end in a log: they may be anything.
            made = create_engine(
                self.address(role),
                hide_parameters=True,
                pool_pre_ping=True,
                pool_timeout=30,
                **pool_of(self.settings.governance),
            )
            self._engines.setdefault(role, made)
        return self._engines[role]

    def in_database(self, name: str) -> Database:
        """The same server, another database of it: for tests, and to restore a backup beside the original."""
        admin = self.admin.set(database=name) if self.admin is not None else None
        return Database(self.base.set(database=name), self.credentials, admin=admin, settings=self.settings)

    def close(self) -> None:
        """Close the engines; stop the server when it was started here. Idempotent."""
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        if self.keeper is not None:
            self.keeper.stop()
            self.server = self.keeper = None

    def address(self, role: Role) -> URL:
        """The address of the database for a role, its password and what libpq is to be told in it."""
        if role == "admin" and self.admin is not None:
            return self.settings.applied(self.admin, role)
        own = self.base.set(username=_USERS[role], password=getattr(self.credentials, role))
        return self.settings.applied(own, role)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


Fill = Callable[["Database"], None]
"""Brings a backup into a database whose schemas are there, and empty."""


def open_embedded(
    *,
    data: Path,
    keys: Path,
    runtime_dir: Path,
    start: bool,
    settings: ConnectionSettings | None = None,
    fill: Fill | None = None,
) -> Database:
    """The server on the folder `data`.

    With `start` (the caller holds the node's lock) it is started and everything in it is brought about,
    `fill` included. Without, it must be running already: UnavailableError says how to start it.
    """
    connections = settings or ConnectionSettings()
    base = URL.create(
        "postgresql", database=DATABASE, query={"host": str(socket_dir(runtime_dir)), "port": "5432"}
    )
    passwords = keys / CREDENTIALS_FILE
    if not start:
        return _attach(data, base, passwords, connections)
    if (data / "PG_VERSION").exists():
        load(passwords)  # a database whose passwords are lost is not given new ones in silence
    credentials = load_or_create(passwords)
    server = EmbeddedPostgres(data=data, runtime_dir=runtime_dir, admin_password=credentials.admin)
    keeper = PostgresKeeper(server)
    keeper.start()
    database = Database(base, credentials, server, keeper, settings=connections)
    try:
        set_up(database, reset_passwords=True, fill=fill)
    except BaseException:
        database.close()
        raise
    return database


def set_up(database: Database, *, reset_passwords: bool, fill: Fill | None = None) -> None:
    """Roles, database, schemas, what `fill` brings, migrations: idempotent, but for `fill`."""
    name = str(database.base.database)
    passwords = {_USERS[role]: getattr(database.credentials, role) for role in _MADE}
    try:
        _provision(database, name, passwords, reset_passwords=reset_passwords)
        if fill is not None:
            fill(database)
        owner = create_engine(database.address("owner"), poolclass=NullPool)
        migrate(owner)
    except (OperationalError, ProgrammingError) as error:
        raise UnavailableError(
            "The node's database cannot be set up.",
            why=str(error.orig).strip(),
            remedy="See that Postgres runs, that its disk has room, and that the administrator may create "
            "roles and schemas. If the node's roles were there before: phems db init --reset-passwords.",
        ) from error


def _provision(database: Database, name: str, passwords: Mapping[str, str], *, reset_passwords: bool) -> None:
    maintenance = create_engine(database.address("admin").set(database="postgres"), poolclass=NullPool)
    # An external database usually exists, and its role may not make others: then this is not needed.
    with suppress(SQLAlchemyError) if database.admin is not None else nullcontext():
        provision.provision_database(maintenance, name)
    admin = create_engine(database.address("admin"), poolclass=NullPool)
    provision.provision_roles(admin, passwords, reset_passwords=reset_passwords)
    provision.provision_schemas(admin)


def _attach(data: Path, base: URL, passwords: Path, settings: ConnectionSettings) -> Database:
    postmaster = running_postmaster(data)
    if postmaster is None or not postmaster.ready:
        raise UnavailableError(
            "The node does not run.",
            why=f"its database in {data} is not started.",
            remedy="phems serve",
        )
    return Database(base, load(passwords), settings=settings)
