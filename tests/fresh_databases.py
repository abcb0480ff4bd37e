"""Databases of a test's own, on the server that all tests share: copies of one that is migrated."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from phems.adapters.postgres import provision
from phems.adapters.postgres.database import DATABASE, Database


@contextmanager
def fresh_database(server: Database) -> Iterator[Database]:
    """A fresh database with all tables, dropped at the end of the block."""
    name = f"test_{secrets.token_hex(6)}"
    maintenance = create_engine(server.address("admin").set(database="postgres"), poolclass=NullPool)
    provision.provision_database(maintenance, name, template=DATABASE)
    fresh = server.in_database(name)
    provision.provision_schemas(create_engine(fresh.address("admin"), poolclass=NullPool))
    with fresh:
        yield fresh
    with maintenance.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def socket_file(database: Database) -> Path:
    """The Unix socket that a database's server listens on."""
    query = database.address("admin").query
    return Path(str(query["host"])) / f".s.PGSQL.{query['port']}"
