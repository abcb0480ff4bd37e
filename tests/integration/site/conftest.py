"""A node over a real database whose pages answer in this process, to people who are signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.site.browsed_site import BrowsedSite

from phems.adapters.postgres.database import Database


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[BrowsedSite]:
    """The node's pages."""
    yield BrowsedSite(tmp_path, database)
