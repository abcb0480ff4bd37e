"""A provider and a node whose people sign in at it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.identity.identity_site import IdentitySite, identity_site
from tests.integration.identity.oidc_provider import SECRET, free_port, running_provider

from phems.adapters.postgres.database import Database


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Of the provider and of the node: each is told the other's."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def issuer(ports: tuple[int, int]) -> Iterator[str]:
    """The real provider."""
    with running_provider(f"http://127.0.0.1:{ports[1]}/login/oidc/back", ports[0]) as found:
        yield found


@pytest.fixture
def site(issuer: str, ports: tuple[int, int], database: Database) -> Iterator[IdentitySite]:
    """The node, and nobody who has signed in yet."""
    with (
        tempfile.TemporaryDirectory(prefix="phems-") as folder,
        identity_site(Path(folder), database, issuer, SECRET, ports[1]) as started,
    ):
        yield started
