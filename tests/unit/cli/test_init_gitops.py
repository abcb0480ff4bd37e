"""phems init --gitops: a Node Repo whose own workflow passes, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.typed_lines import Phems

from phems.nodespec import load_node

ADDRESSES = ("--repo", "https://git.example/st-mary.git", "--chart-repo", "git@git.example:phems/phems.git")
PROJECT = """\
projects:
  genes:
    code: {repo: "https://git.example/genes.git"}
    members: {output_checker: [omar, oda], information_asset_owner: [iris]}
"""


@pytest.fixture
def node_repo(phems: Phems, tmp_path: Path) -> Path:
    """A fresh Node Repo, committed."""
    said = phems("init", "st-mary", "--gitops", *ADDRESSES, "--json")
    assert said.code == 0, said.err
    repo = tmp_path / "st-mary"
    for command in (["init", "--quiet", "-b", "main"], ["add", "--all"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", *IDENTITY, *command], cwd=repo, check=True)
    return repo


IDENTITY = ("-c", "user.name=Olga", "-c", "user.email=olga@st-mary.example")


def workflow(repo: Path) -> subprocess.CompletedProcess[str]:
    """The steps of the repo's own workflow, in a shell, but for the one that installs phems."""
    (job,) = yaml.safe_load((repo / ".github/workflows/check.yaml").read_text())["jobs"].values()
    steps = [step["run"] for step in job["steps"] if "run" in step and "Install" not in step["name"]]
    assert len(steps) == 3
    return subprocess.run(
        ["bash", "-e", "-c", "\n".join(steps)],
        cwd=repo,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_a_fresh_node_repo_passes_its_own_workflow(node_repo: Path, phems: Phems) -> None:
    """Otherwise a node begins with somebody else's mistake to find."""
    done = workflow(node_repo)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any("@N" in file.read_text() for file in node_repo.rglob("*.yaml"))


def test_its_workflow_fails_when_what_is_rendered_is_stale(node_repo: Path) -> None:
    """Otherwise node.yaml says one thing, and the cluster is told another."""
    file = node_repo / "node.yaml"
    file.write_text(file.read_text().replace("projects: {}\n", PROJECT))
    done = workflow(node_repo)
    assert done.returncode == 1, done.stdout + done.stderr
    changed = {line for line in done.stdout.splitlines() if line.startswith("+++")}
    assert changed == {
        f"+++ b/{place}"
        for place in ("chart/values.yaml", "gitops/applications/code-pipeline.yaml", "gitops/bootstrap.yaml")
    }


def test_its_workflow_fails_when_node_yaml_is_wrong(node_repo: Path) -> None:
    file = node_repo / "node.yaml"
    file.write_text(file.read_text().replace("profile: kubernetes", "profile: cubernetes"))
    assert workflow(node_repo).returncode == 2


def test_a_slip_in_the_operators_file_is_told(node_repo: Path, phems: Phems) -> None:
    """Nothing else of the Node Repo reads it before Helm does, in the cluster."""
    file = node_repo / "chart" / "operator.yaml"
    command = ("--node", node_repo, "render", "helm", "--check", file, "--json")
    assert phems(*command).code == 0
    file.write_text(file.read_text() + "contrl: {replicas: 3}\n")
    said = phems(*command)
    assert (said.code, "contrl" in said.error["what"]) == (2, True)
    file.unlink()
    said = phems(*command)
    assert (said.code, "cannot be read" in said.error["what"]) == (2, True)


def test_every_file_is_told_and_names_the_node(phems: Phems, tmp_path: Path) -> None:
    said = phems("init", "here", "--gitops", "--name", "st-john", *ADDRESSES, "--json")
    repo = tmp_path / "here"
    assert sorted(said.data["written"]) == sorted(
        str(file.relative_to(repo)) for file in repo.rglob("*") if file.is_file()
    )
    spec = load_node(repo)
    assert spec.node.name == "st-john"
    assert spec.gitops is not None
    assert spec.gitops.chart_repo == ADDRESSES[3]
    assert "phems check" in phems("init", "there", "--gitops", *ADDRESSES).out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--gitops",), "--repo and --chart-repo are missing"),
        (("--gitops", *ADDRESSES[:2]), "--chart-repo is missing"),
        (("--gitops", *ADDRESSES[2:], "--repo", "../here"), "--repo is given '../here'"),
        (("--gitops", *ADDRESSES, "--chart-revision", "main"), "--chart-revision is given 'main'"),
        (("--gitops", *ADDRESSES[:2], "--chart-repo", "https://a.example/b\nx: y"), "--chart-repo is given"),
        (("--gitops", *ADDRESSES, "--name", "St Mary"), "is not a name for a node"),
        (ADDRESSES, "are of a Node Repo"),
    ],
)
def test_what_argo_cd_could_not_read_is_refused_at_once(
    phems: Phems, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    said = phems("init", "st-mary", *options, "--json")
    assert said.code == 2
    assert words in said.error["what"]
    assert said.error["remedy"]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(phems: Phems, tmp_path: Path) -> None:
    """A folder with a node in it is somebody's."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "node.yaml").write_text("mine")
    (tmp_path / "file").write_text("")
    for folder, words in (("mine", "node.yaml is there"), ("file", "is not a folder")):
        said = phems("init", folder, "--gitops", *ADDRESSES)
        assert (said.code, words in said.err) == (2, True)
    assert [item.name for item in (tmp_path / "mine").iterdir()] == ["node.yaml"]
    (tmp_path / "clone" / ".git").mkdir(parents=True)
    assert phems("init", "clone", "--gitops", *ADDRESSES).code == 0


def test_a_disk_that_refuses_leaves_nothing_behind(
    phems: Phems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise trying again is refused, for the half that is there."""
    (tmp_path / "st-mary").mkdir()
    written, whole = [], Path.write_text

    def write(file: Path, text: str, **options: Any) -> int:
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        written.append(file)
        return whole(file, text, **options)

    monkeypatch.setattr(Path, "write_text", write)
    assert phems("init", "st-mary", "--gitops", *ADDRESSES).code != 0
    assert [item for item in (tmp_path / "st-mary").rglob("*") if item.is_file()] == []
