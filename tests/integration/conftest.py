"""One embedded Postgres for the whole session, and a database of its own, migrated, for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders import open_folder
from tests.fresh_databases import fresh_database
from tests.s3_server import S3Server, s3_server

from phems.adapters.postgres.database import Database, open_embedded
from phems.adapters.postgres.unit_of_work import PostgresGovernance

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this folder starts real services."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="package")
def short_folder() -> Iterator[Path]:
    """A folder that other accounts may pass through, with a path short enough for sockets."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="package")
def postgres_server(short_folder: Path) -> Iterator[Database]:
    """A Postgres whose database `phems` is migrated and used by nobody: the others are copies of it."""
    data = short_folder / "data"
    server = open_embedded(
        data=data / "postgres", keys=data / "keys", runtime_dir=short_folder / "run", start=True
    )
    with server:
        yield server


@pytest.fixture(scope="package")
def s3() -> Iterator[S3Server]:
    """An S3-compatible server with a user and no buckets; its gateway runs when a test begins."""
    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server) -> str:
    """A fresh bucket of it."""
    name = f"bucket-{secrets.token_hex(6)}"
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def database(postgres_server: Database) -> Iterator[Database]:
    """A fresh database with all tables, dropped at the end."""
    with fresh_database(postgres_server) as fresh:
        yield fresh


@pytest.fixture
def governance(database: Database) -> PostgresGovernance:
    """Transactions on a fresh database."""
    return PostgresGovernance(database.engine("governance"))
