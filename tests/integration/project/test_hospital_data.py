"""The example's data are the published ones, the same each time, and the node spec names them rightly."""

from __future__ import annotations

import hashlib
import importlib.util
import tomllib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from phems.nodespec.load import load_node

pytestmark = pytest.mark.integration
HOSPITAL = Path(__file__).parents[3] / "examples" / "hospital"


def test_whas500_is_the_published_study(sources: Path) -> None:
    """The demo would show results on data that are not what it says."""
    table = pq.read_table(sources / "whas500.parquet").to_pandas()
    assert len(table) == 500
    assert table["fstat"].sum() == 215
    assert table["patient_id"].is_unique
    # Hosmer, Lemeshow, May 2008: ages 30 to 104, 200 women, follow-up 1 to 2358 days.
    assert (table["age"].min(), table["age"].max()) == (30, 104)
    assert (table["gender"] == 1).sum() == 200
    assert (table["lenfol"].min(), table["lenfol"].max()) == (1, 2358)


def test_gbsg2_is_the_published_study(sources: Path) -> None:
    """The demo would show results on data that are not what it says."""
    table = csv.read_csv(sources / "gbsg2.csv").to_pandas()
    assert len(table) == 686
    assert table["cens"].sum() == 299
    assert table["patient_id"].is_unique
    # Schumacher et al. 1994: 246 patients had hormonal therapy, 396 were postmenopausal.
    assert (table["horTh"] == "yes").sum() == 246
    assert (table["menostat"] == "Post").sum() == 396


def test_the_data_are_written_the_same_each_time(sources: Path, tmp_path: Path) -> None:
    """Two demos could not be compared."""
    specification = importlib.util.spec_from_file_location("make_data_again", HOSPITAL / "make_data.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for path in module.make_data(tmp_path / "again"):
        first = hashlib.sha256((sources / path.name).read_bytes()).hexdigest()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == first


def test_the_node_spec_is_right_and_keeps_the_projects_apart() -> None:
    """The demo would not start, or show a wall that its own grants opened."""
    spec = load_node(HOSPITAL / "node")
    grants = {
        name: [grant.source for grant in project.data_grants] for name, project in spec.projects.items()
    }
    assert grants == {
        "heart-attack": ["whas500"],
        "breast-cancer": ["gbsg2"],
        "length-of-stay": ["whas500"],
        "tumour-grade": ["gbsg2"],
    }
    for project in spec.projects.values():
        members = project.members
        assert len(set(members.output_checker) - set(members.data_analyst)) >= 2
        assert not set(members.information_asset_owner) & set(members.data_analyst)


@pytest.mark.parametrize("project", ["heart-attack", "breast-cancer", "length-of-stay", "tumour-grade"])
def test_each_code_repo_is_where_the_node_spec_says(project: str) -> None:
    """Code could be submitted, but never be loaded."""
    code = load_node(HOSPITAL / "node").projects[project].code
    root = (HOSPITAL / "node" / code.repo).resolve()
    assert (root / code.root / Path(*code.module.split("."))).with_suffix(".py").is_file()
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    assert settings["tool"]["dg"]["project"]["code_location_target_module"] == code.module
