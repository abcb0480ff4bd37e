"""A node's API on a port of this machine, and the command line of somebody who is elsewhere."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.api.api_site import PASSWORD, ApiSite
from tests.integration.served_api import served_api
from tests.typed_lines import Phems, Said, typed

from phems.adapters.postgres.database import Database
from phems.domain.actors import LOCAL_OPERATOR


@pytest.fixture
def site(database: Database) -> Iterator[ApiSite]:
    """The node, its people, and a password of Ana's."""
    with tempfile.TemporaryDirectory(prefix="phems-") as folder:
        made = ApiSite(Path(folder), database)
        made.node.users.set_password(LOCAL_OPERATOR, "ana", PASSWORD)
        yield made


@pytest.fixture
def url(site: ApiSite) -> Iterator[str]:
    """Its address."""
    with served_api(site.node) as address:
        yield address


@pytest.fixture
def phems(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phems:
    """One command line, in an empty folder of a machine that has no node."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("PHEMS_NODE", "PHEMS_TOKEN", "PHEMS_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        return typed(capsys, *words)

    return run
