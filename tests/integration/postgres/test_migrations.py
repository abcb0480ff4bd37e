"""Migrations: once is enough, twice changes nothing, and a newer database is not touched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from phems.adapters.postgres import provision
from phems.adapters.postgres.database import Database, set_up
from phems.adapters.postgres.external import open_external
from phems.adapters.postgres.migrate import latest, migrate
from phems.errors import InputError, UnavailableError


def _version(database: Database) -> str:
    with database.engine("owner").connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM governance.schema_version")).scalar_one())


def _empty(postgres_server: Database, name: str) -> Database:
    maintenance = create_engine(postgres_server.address("admin").set(database="postgres"), poolclass=NullPool)
    provision.provision_database(maintenance, name)
    return postgres_server.in_database(name)


def test_a_database_that_is_set_up_stays_as_it_is_when_set_up_again(database: Database) -> None:
    assert _version(database) == latest()
    set_up(database, reset_passwords=True)
    assert _version(database) == latest()


def test_two_nodes_that_start_at_once_on_one_server_do_not_hinder_each_other(
    postgres_server: Database,
) -> None:
    with _empty(postgres_server, "test_at_once") as fresh, ThreadPoolExecutor(2) as pool:
        for started in [pool.submit(set_up, fresh, reset_passwords=False) for _ in range(2)]:
            started.result()
        assert _version(fresh) == latest()


def test_a_database_written_by_a_later_version_is_left_alone_and_said_so(database: Database) -> None:
    with database.engine("owner").begin() as connection:
        connection.execute(text("UPDATE governance.schema_version SET version_num = '9999'"))
    owner = create_engine(database.address("owner"), poolclass=NullPool)
    with pytest.raises(UnavailableError, match="later version"):
        migrate(owner)
    assert _version(database) == "9999"


def test_an_external_server_is_set_up_with_a_role_that_is_no_superuser(
    postgres_server: Database, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As on a managed Postgres, where nobody is given a superuser."""
    with database.engine("admin").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP ROLE IF EXISTS test_dba"))
        connection.execute(text("CREATE ROLE test_dba LOGIN CREATEROLE CREATEDB PASSWORD 'dba'"))
        for role in provision.ROLES:
            connection.execute(text(f"GRANT {role} TO test_dba WITH ADMIN OPTION"))
        connection.execute(text("CREATE DATABASE test_external OWNER test_dba"))
    address = database.base.set(username="test_dba", password="dba", database="test_external")
    keys = tmp_path_factory.mktemp("keys")
    (keys / "database.json").write_text(
        (_keys_of(postgres_server)).read_text()  # the roles exist already, with these passwords
    )
    try:
        with open_external(address.render_as_string(hide_password=False), keys=keys, start=True) as external:
            assert _version(external) == latest()
    finally:
        with database.engine("admin").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("DROP DATABASE test_external WITH (FORCE)"))
            connection.execute(text("DROP OWNED BY test_dba"))
            connection.execute(text("DROP ROLE test_dba"))


@pytest.mark.parametrize("address", ["not an address", "mysql://root@localhost/db", "postgresql://host"])
def test_an_address_that_names_no_postgres_database_is_refused(
    address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(InputError, match=r"database\.url"):
        open_external(address, keys=tmp_path_factory.mktemp("keys"), start=False)


def test_an_external_server_that_does_not_answer_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = "postgresql://dba:secret@127.0.0.1:1/phems"
    with pytest.raises(UnavailableError, match="cannot be set up") as refused:
        open_external(nowhere, keys=tmp_path_factory.mktemp("keys"), start=True)
    assert "secret" not in str(refused.value)


def _keys_of(server: Database) -> Path:
    assert server.server is not None
    return server.server.data.parent / "keys" / "database.json"
