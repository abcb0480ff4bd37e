"""A node over a real database whose pages answer in this process, to people who are signed in."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.site.browsed_site import BrowsedSite

from phems.adapters.postgres.database import Database


@pytest.fixture
def site(database: Database, tmp_path: Path) -> BrowsedSite:
    """The node's pages."""
    return BrowsedSite(tmp_path, database)
