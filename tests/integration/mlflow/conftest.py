"""The Postgres of this package's server node."""

from __future__ import annotations

from tests.server_fixtures import server_database

__all__ = ["server_database"]
