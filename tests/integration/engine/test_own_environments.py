"""Projects with packages of their own: what runs is what their lock files name, in the sandbox alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from dagster import DagsterRun, DagsterRunStatus
from tests.nodes import NodeSite, RunningNode, running_node, succeeded, temporary_site
from tests.wheels import make_wheel

from phems.adapters.environments.built import BuiltEnvironments
from phems.adapters.environments.wheels import WheelSources
from phems.adapters.postgres.code_in_use import PostgresCodeInUse
from phems.engine.hosts import HostState
from phems.engine.tags import CODE_TAG, PROJECT_TAG
from phems.errors import InputError, IntegrityError, UnavailableError

pytestmark = pytest.mark.integration

# What a package could bring to be run where it is not meant to: at a start of Python, or by name.
SPRUNG = "import pathlib; pathlib.Path({!r}).write_text('ran')"
REPORT = """
import importlib.util, json, sys
import dagster as dg, study_scale
from phems.contract.runtime import current_runtime
from phems.project import Outputs, ProjectIOManager

@dg.asset(key_prefix="{package}")
def scale(context, outputs: Outputs) -> None:
    found = {{
        "scale": study_scale.VERSION,
        "dagster": dg.__version__,
        "node": [n for n in ("typer", "uvicorn", "psycopg2", "phems.engine") if importlib.util.find_spec(n)],
    }}
    (current_runtime().artifact_dir / "found.json").write_text(json.dumps(found))
    outputs.write_json(context, "found.json", found)

defs = dg.Definitions(assets=[scale], resources={{"outputs": Outputs()}})
"""


@dataclass
class Locked:
    """A node with two projects that lock different versions of one package."""

    site: NodeSite
    node: RunningNode
    trap: Path


def project_files(name: str, requirements: str) -> dict[str, str]:
    return {
        f"src/{name}/__init__.py": "",
        f"src/{name}/definitions.py": REPORT.format(package=name),
        "requirements.txt": requirements,
    }


@pytest.fixture(scope="module")
def locked() -> Iterator[Locked]:
    with temporary_site() as site:
        trap, house = site.folder / "trap", site.folder / "wheelhouse"
        site.settings["environments"] = {"wheelhouse": "../wheelhouse"}
        for name, number in (("older", "1.0"), ("newer", "2.0")):
            files = {
                "study_scale/__init__.py": f"VERSION = {number!r}\n",
                "sprung.pth": f"{SPRUNG.format(str(trap))}\n",
                # It would be found before the node's own, were it not for the order.
                "dagster/__init__.py": "__version__ = 'not the node\\'s'\n",
                f"study_scale-{number}.data/scripts/phems": f"#!python\n{SPRUNG.format(str(trap))}\n",
            }
            line = make_wheel(house, "study_scale", number, files)
            same = f"dagster=={version('dagster')} --hash=sha256:{'0' * 64}\n"
            site.add_project(
                name, project_files(name, same + line), environment={"requirements": "requirements.txt"}
            )
        with running_node(site) as node:
            yield Locked(site, node, trap)


def test_two_projects_run_with_different_versions_of_one_package(locked: Locked) -> None:
    """Otherwise the packages of a node are those of whoever came first."""
    found = {}
    for name in ("older", "newer"):
        locked.node.approve(name)
    for name in ("older", "newer"):
        locked.node.ready(name, seconds=120)
        run = locked.node.run("__ASSET_JOB", project=name, assets=[f"{name}/scale"], seconds=120)
        assert succeeded(run), locked.node.story(run.run_id)
        found[name] = json.loads(locked.node.artifact("found.json", name).read_text())
    assert [found[name]["scale"] for name in ("older", "newer")] == ["1.0", "2.0"]
    assert {each["dagster"] for each in found.values()} == {version("dagster")}
    assert [each["node"] for each in found.values()] == [[], []], "the control plane's packages are there"
    assert not locked.trap.exists()
    environments = locked.node.serving.paths.environments
    assert not list(environments.glob("*/*/packages/bin"))


def test_the_code_of_runs_on_their_way_is_known(locked: Locked) -> None:
    """Otherwise phems code sync takes away what a run still imports from."""
    node = locked.node
    in_use = PostgresCodeInUse(node.serving.node.database.engine("dagster"))
    for status, commit in ((DagsterRunStatus.STARTED, "a" * 12), (DagsterRunStatus.SUCCESS, "b" * 12)):
        tags = {PROJECT_TAG: "resting", CODE_TAG: commit}
        node.instance.run_storage.add_run(
            DagsterRun("job", run_id=str(uuid.uuid4()), status=status, tags=tags)
        )
    assert in_use.commits("resting") == {"a" * 12}
    assert in_use.commits("older") == set()


def test_a_lock_file_that_cannot_be_used_is_told(locked: Locked) -> None:
    """Somebody approved a typing mistake: status says what is wrong, and what to do."""
    locked.site.commit("newer", {"requirements.txt": f"absent==9.9 --hash=sha256:{'a' * 64}\n"})
    digest = locked.node.approve("newer")
    failed = locked.node.wait_for(
        lambda: next(
            (
                host
                for host in locked.node.serving.control.hosts.status()
                if host.code_digest == digest and host.state is HostState.FAILED
            ),
            None,
        ),
        "the host to fail",
        seconds=120,
    )
    assert "absent" in failed.error
    assert "phems code sync" in failed.error


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of environments: what the node brings is put there once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def environments(root: Path, tmp_path: Path) -> BuiltEnvironments:
    return BuiltEnvironments(root, lambda: WheelSources(tmp_path / "house"))


def code(tmp_path: Path, requirements: str) -> Path:
    folder = tmp_path / "code"
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text(requirements)
    return folder


def test_an_environment_is_built_once_and_not_used_when_it_was_changed(
    environments: BuiltEnvironments, tmp_path: Path
) -> None:
    """Whoever may write to the node's disk could otherwise change what approved code imports."""
    folder = code(tmp_path, make_wheel(tmp_path / "house", "small", "1.0", {"small.py": "x = 1\n"}))
    with pytest.raises(UnavailableError, match="not built"):
        environments.python(folder, "requirements.txt")
    assert environments.build(folder, "requirements.txt")
    assert not environments.build(folder, "requirements.txt")
    python = environments.python(folder, "requirements.txt")
    done = subprocess.run(
        [python, "-c", "import small, phems.host, sys; print(small.x, sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.defpath},
    )
    assert done.stdout.split() == ["1", str(python.parent.parent)]
    assert str(python.parent.parent) != sys.prefix
    (python.parent.parent / "packages" / "small.py").write_text("x = 2\n")
    with pytest.raises(IntegrityError, match="not what was built"):
        environments.python(folder, "requirements.txt")
    assert python.parents[2].name in environments.keep_only(frozenset())
    assert environments.build(folder, "requirements.txt")


def test_a_wheel_with_other_bytes_is_not_installed(
    environments: BuiltEnvironments, root: Path, tmp_path: Path
) -> None:
    """What was approved is the hash: the same version from somebody else is another package."""
    # No other test's bytes: what was built of those would be there, and be used.
    line = make_wheel(tmp_path / "house", "small", "1.0", {"small.py": "x = 'approved'\n"})
    make_wheel(tmp_path / "house", "small", "1.0", {"small.py": "x = 'hostile'\n"})
    before = set(root.glob("*/*/packages"))
    with pytest.raises(InputError, match="cannot be had"):
        environments.build(code(tmp_path, line), "requirements.txt")
    assert set(root.glob("*/*/packages")) == before


def test_a_source_distribution_is_not_built(environments: BuiltEnvironments, tmp_path: Path) -> None:
    """Its setup.py would run in the control plane."""
    import hashlib
    import io
    import tarfile

    trap = tmp_path / "trap"
    (tmp_path / "house").mkdir()
    source = tmp_path / "house" / "small-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        content = SPRUNG.format(str(trap)).encode()
        row = tarfile.TarInfo("small-1.0/setup.py")
        row.size = len(content)
        archive.addfile(row, io.BytesIO(content))
    line = f"small==1.0 --hash=sha256:{hashlib.sha256(source.read_bytes()).hexdigest()}\n"
    with pytest.raises(InputError, match="cannot be had"):
        environments.build(code(tmp_path, line), "requirements.txt")
    assert not trap.exists()


def test_with_nowhere_to_look_the_operator_is_told_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The public index of the world is no default of a hospital's."""
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("UV_INDEX_URL", raising=False)
    nowhere = BuiltEnvironments(tmp_path / "environments", WheelSources)
    with pytest.raises(UnavailableError) as refused:
        nowhere.build(code(tmp_path, f"small==1.0 --hash=sha256:{'a' * 64}\n"), "requirements.txt")
    assert "environments" in refused.value.remedy
