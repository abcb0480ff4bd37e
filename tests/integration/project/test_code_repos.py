"""Each Code Repo stands on its own: its tests pass, Dagster finds its definitions, no tag is reserved."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from ruamel.yaml import YAML

from phems.cli.app import run

EXAMPLES = Path(__file__).parents[3] / "examples"
HOSPITAL = EXAMPLES / "hospital"
FEDERATED = "one-year-death"
PROJECTS = ["heart-attack", "breast-cancer"]
# Which version of the hospital's library a small project locks.
LOCKED = {"length-of-stay": "1.0", "tumour-grade": "2.0"}
pytestmark = pytest.mark.integration
RESERVED = ("phems/", "dagster-k8s/")


@pytest.fixture
def code_repo(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy, as a person would clone it."""
    copy = tmp_path / request.param
    there = EXAMPLES / "federation" / "code" if copy.name == FEDERATED else HOSPITAL / "code" / copy.name
    shutil.copytree(there, copy, ignore=shutil.ignore_patterns("__pycache__", ".*cache"))
    return copy


def _in(code_repo: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the environment's commands there, with a home folder that cannot be written to."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PHEMS_", "PYTEST_"))
    }
    library = HOSPITAL / "libraries" / f"rounding-{LOCKED.get(code_repo.name)}" / "src"
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
        "HOME": "/nonexistent",
        "PYTHONPATH": f"src{os.pathsep}{library}",
        "DAGSTER_HOME": "",
    }
    return subprocess.run(
        command, cwd=code_repo, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.parametrize("code_repo", [*PROJECTS, *LOCKED, FEDERATED], indirect=True)
def test_its_own_tests_pass(code_repo: Path) -> None:
    """An author who copies the example would start from something broken."""
    done = _in(code_repo, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr


# One by each: the other one of the two is loaded by it in test_laptop, under `dg dev` and `dagster dev`.
@pytest.mark.parametrize("code_repo", ["breast-cancer"], indirect=True)
def test_dg_finds_nothing_wrong(code_repo: Path) -> None:
    """`dg dev` on a laptop would not show the project."""
    done = _in(code_repo, "dg", "check", "defs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All definitions loaded successfully" in done.stdout + done.stderr


@pytest.mark.parametrize("code_repo", ["heart-attack"], indirect=True)
def test_dagster_finds_nothing_wrong(code_repo: Path) -> None:
    """The node's code server would not load the project."""
    module = f"{code_repo.name.replace('-', '_')}.definitions"
    done = _in(code_repo, "dagster", "definitions", "validate", "-m", module)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("project", PROJECTS)
def test_no_definition_uses_a_tag_that_the_node_refuses(
    definitions: dict[str, dg.Definitions], project: str
) -> None:
    """Every run of the example would be refused."""
    repository = definitions[project].get_repository_def()
    tags: set[str] = set()
    for job in repository.get_all_jobs():
        tags |= set(job.tags) | set(job.run_tags)
        for node in job.all_node_defs:
            tags |= set(node.tags)
    for asset in repository.asset_graph.asset_nodes:
        tags |= set(asset.tags)
    assert not [tag for tag in tags if tag.startswith(RESERVED)]


def test_the_projects_share_no_name(definitions: dict[str, dg.Definitions]) -> None:
    """Two projects' assets of one name would be mixed up in the UI's lineage."""
    keys = [
        {asset.key for asset in found.get_repository_def().asset_graph.asset_nodes}
        for found in definitions.values()
    ]
    assert not set.intersection(*keys)


def test_a_fresh_code_repo_passes_what_its_own_workflow_runs(tmp_path: Path) -> None:
    """Otherwise a project's first push comes back red, for something that nobody there has written."""
    made = tmp_path / "bed-days"
    assert run(["project", "new", "bed-days", str(made)]) == 0
    workflow = YAML(typ="safe").load(made / ".github" / "workflows" / "check.yaml")
    install, *checks = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    assert install == "python -m pip install -e '.[dev]'"
    assert checks == ["dg check defs", "pytest"]
    for command in checks:
        done = _in(made, *shlex.split(command))
        assert done.returncode == 0, done.stdout + done.stderr
