"""The example hospital on a laptop: real data in a folder, Code Repos loaded as Dagster loads them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

HOSPITAL = Path(__file__).parents[3] / "examples" / "hospital"


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both data sources."""
    specification = importlib.util.spec_from_file_location("make_data", HOSPITAL / "make_data.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("sources")
    module.make_data(folder)
    return folder


@pytest.fixture(scope="session")
def definitions() -> Iterator[dict[str, dg.Definitions]]:
    """The definitions of both Code Repos, by project."""
    loaded = {}
    for project in ("heart-attack", "breast-cancer"):
        source = str(HOSPITAL / "code" / project / "src")
        sys.path.insert(0, source)
        module = importlib.import_module(f"{project.replace('-', '_')}.definitions")
        loaded[project] = module.defs()
    yield loaded
    for project in loaded:
        sys.path.remove(str(HOSPITAL / "code" / project / "src"))


@pytest.fixture
def laptop(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The artifact area of a laptop that holds the real data."""
    monkeypatch.setenv("PHEMS_DATA", str(sources))
    monkeypatch.setenv("PHEMS_ARTIFACTS", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
