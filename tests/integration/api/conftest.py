"""A node's API over a fresh database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.api.api_site import ApiSite

from phems.adapters.postgres.database import Database


@pytest.fixture
def site(database: Database) -> Iterator[ApiSite]:
    """The node, with its people and their tokens, and nothing done yet."""
    with tempfile.TemporaryDirectory(prefix="phems-") as folder:
        yield ApiSite(Path(folder), database)
