"""The node's database, as node.yaml has it: a Postgres of its own, or one that is elsewhere."""

from __future__ import annotations

import os

from sqlalchemy import make_url

from phems.adapters.postgres.connections import settings_of
from phems.adapters.postgres.database import Database, Fill, open_embedded
from phems.adapters.postgres.external import initialise, open_external
from phems.bootstrap.mlflow import provision_mlflow
from phems.errors import InputError
from phems.nodespec import NodePaths, NodeSpec


def open_database(spec: NodeSpec, paths: NodePaths, *, start: bool) -> Database:
    """The node's database.

    With `start` (the caller holds the node's lock) the embedded server is started and everything in it is
    brought about. Without, it must be running already: UnavailableError says how to start it. An external
    server is reached either way; what is looked at there, or set up, with `start` alone.
    """
    address = spec.database.address(os.environ)
    if address is None:
        return _own(spec, paths, start=start)
    return open_external(address, keys=paths.keys, start=start, settings=settings_of(spec.database, paths))


def set_up_database(spec: NodeSpec, paths: NodePaths, admin: str, *, reset_passwords: bool) -> Database:
    """An external server, set up for the node by its administrator's address."""
    address = spec.database.address(os.environ)
    if address is None:
        raise InputError(
            "The node has a Postgres of its own.",
            why="node.yaml has no database.url; its own Postgres is set up at each start.",
            remedy="phems serve; or write database.url, as in postgresql://db.hospital.example/phems",
        )
    database = initialise(
        address,
        admin,
        keys=paths.keys,
        settings=settings_of(spec.database, paths),
        reset_passwords=reset_passwords,
    )
    provision_mlflow(database, spec, paths)
    return database


def refill_database(spec: NodeSpec, paths: NodePaths, admin: str | None, fill: Fill) -> Database:
    """The database of a node that is being restored: set up, and filled. The caller holds the node's lock."""
    address = spec.database.address(os.environ)
    if address is None:
        return _own(spec, paths, start=True, fill=fill)
    named = make_url(address)
    if named.username is None and admin is None:
        raise InputError(
            "The administrator's address is missing.",
            why="the node's database is elsewhere, and its roles and schemas are made there again.",
            remedy="export PHEMS_DB_ADMIN=postgresql://postgres:password@host/postgres",
        )
    return initialise(
        named.set(drivername="postgresql").render_as_string(hide_password=False),
        admin or address,
        keys=paths.keys,
        settings=settings_of(spec.database, paths),
        reset_passwords=False,
        fill=fill,
    )


def _own(spec: NodeSpec, paths: NodePaths, *, start: bool, fill: Fill | None = None) -> Database:
    return open_embedded(
        data=paths.postgres,
        keys=paths.keys,
        runtime_dir=paths.runtime_dir,
        start=start,
        settings=settings_of(spec.database, paths),
        fill=fill,
    )
