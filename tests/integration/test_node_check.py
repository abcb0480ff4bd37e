"""`phems check` against real repos, files, folders and ports: what a person sees before the node starts."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phems.adapters.node_check import check_world
from phems.nodespec import Problem, parse_node

pytestmark = pytest.mark.integration

World = Callable[..., list[Problem]]

SPEC = """\
version: 1
node: {{name: a}}
controller: {{name: b}}
data_dir: {data_dir}
release_zone: releases
gateway: {{host: "{host}", port: {port}, allow_remote: true, trusted_proxies: [192.0.2.9]}}
data_sources:
  cohort:
    path: {path}
    format: {format}
projects:
  heart:
    code:
      repo: {repo}
      branch: {branch}
      root: {root}
      module: {module}
    members: {{output_checker: [a, b], information_asset_owner: [c]}}
    environment:
      python: {python}
environments: {{wheelhouse: {wheelhouse}}}
"""


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True, capture_output=True, timeout=60)


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node whose every part is there and right."""
    repo = tmp_path / "code" / "heart"
    (repo / "src" / "heart").mkdir(parents=True)
    (repo / "src" / "heart" / "definitions.py").write_text("")
    git(repo, "init", "-q", "-b", "main")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "first")
    table = pa.table({"age": [1, 2, 3]})
    pq.write_table(table, tmp_path / "cohort.parquet")
    (tmp_path / "cohort.csv").write_text("age,sex\n1,f\n2,m\n")
    with duckdb.connect(str(tmp_path / "cohort.duckdb")) as database:
        database.execute("create table t as select 1 as age")
    return tmp_path


@pytest.fixture
def world(node: Path, free_port: int) -> World:
    """Problems of the world with some values of node.yaml changed: `world(path="x.csv", format="csv")`."""

    def check(**changes: object) -> list[Problem]:
        values: dict[str, object] = {
            "data_dir": "data",
            "host": "127.0.0.1",
            "port": free_port,
            "path": "cohort.parquet",
            "format": "parquet",
            "repo": "code/heart",
            "branch": "main",
            "root": "src",
            "module": "heart.definitions",
            "python": sys.executable,
            "wheelhouse": "",
        }
        text = SPEC.format(**{**values, **changes})
        (node / "node.yaml").write_text(text)
        return check_world(parse_node(text), node)

    return check


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    problem = problems[0]
    assert problem.what
    assert problem.why
    assert problem.remedy
    return problem


def test_a_node_that_is_right_has_no_problems(world: World) -> None:
    assert world() == []
    assert world(path="cohort.csv", format="csv") == []
    assert world(path="cohort.duckdb", format="duckdb") == []


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "parquet", "does not start with PAR1"),
        (b"PAR1", "parquet", "end is missing"),
        (b"PAR1" + b"x" * 100, "parquet", "end is missing"),
        (b"PAR1" + b"x" * 100 + b"PAR1", "parquet", "footer cannot be read"),
        (b"a,b\n1,2\n", "parquet", "write format: csv"),
        (b"a,b\n1,2\n", "duckdb", "write format: csv"),
        (b"x" * 8 + b"DUCK", "duckdb", "end is missing"),
        (b"", "csv", "it is empty"),
        (b"\n\n", "csv", "it is empty"),
        (b"PAR1" + b"x" * 20, "csv", "write format: parquet"),
        (b"\x7fELF\x00\x00", "csv", "is not text"),
        (b"a,b\n1,\xff\n", "csv", "not UTF-8"),
        (b"a,b\n1,2,3\n", "csv", "line 2 has 3 fields, the header 2"),
        (b"a,,c\n1,2,3\n", "csv", "does not name every column"),
        (b'a,"b\n', "csv", ""),
    ],
)
def test_a_file_that_is_not_what_the_spec_says_is_named(
    world: World, node: Path, content: bytes, kind: str, words: str
) -> None:
    (node / "odd").write_bytes(content)
    problems = world(path="odd", format=kind)
    if words:
        problem = only(problems)
        assert problem.key == "data_sources.cohort.format"
        assert problem.line == 10
        assert words in str(problem)


def test_a_large_csv_is_judged_by_its_head(world: World, node: Path) -> None:
    """A file of any size is checked at once, and a row or letter cut by the head's end is no fault."""
    (node / "big.csv").write_text("name;n\n" + "é;1\n" * 200_000, encoding="utf-8")
    assert world(path="big.csv", format="csv") == []


def test_a_missing_or_wrong_kind_of_file_is_named(world: World, node: Path) -> None:
    assert "does not exist" in only(world(path="none.parquet")).what
    assert "is not a file" in only(world(path="code")).what
    os.mkfifo(node / "pipe")
    assert "is not a file" in only(world(path="pipe")).what


def test_a_link_into_the_nodes_own_data_is_refused(world: World, node: Path) -> None:
    """A grant of such a source would hand project code the node's keys."""
    (node / "data" / "keys").mkdir(parents=True)
    (node / "data" / "keys" / "audit.csv").write_text("a,b\n1,2\n")
    (node / "link.csv").symlink_to(node / "data" / "keys" / "audit.csv")
    problem = only(world(path="link.csv", format="csv"))
    assert problem.key == "data_sources.cohort.path"
    assert "lies in data_dir" in problem.what


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"repo": "code/none"}, "repo", "does not exist"),
        ({"repo": "cohort.csv"}, "repo", "is not a folder"),
        ({"repo": "code"}, "repo", "is not a Git repo"),
        ({"repo": "code/heart/src"}, "repo", "is not a Git repo"),
        ({"branch": "develop"}, "branch", "there is no branch develop"),
        ({"root": "lib"}, "root", "there is no folder lib"),
        ({"module": "heart.defs"}, "module", "there is no module heart.defs"),
        ({"repo": "file:///nowhere/x.git"}, "repo", "does not exist"),
        ({"repo": "https://127.0.0.1:1/x.git"}, "repo", "cannot be read"),
    ],
)
def test_code_that_cannot_be_taken_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], key: str, words: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    problem = only(world(**changes))
    assert problem.key == f"projects.heart.code.{key}"
    assert words in problem.what


def test_the_branches_that_are_there_are_listed(world: World, node: Path) -> None:
    git(node / "code" / "heart", "branch", "trial")
    assert "main, trial" in only(world(branch="develop")).why


def test_a_repo_without_commits_says_so(world: World, node: Path) -> None:
    (node / "code" / "new").mkdir()
    git(node / "code" / "new", "init", "-q", "-b", "main")
    assert "no commits yet" in only(world(repo="code/new")).why


def test_a_package_and_a_repo_elsewhere_are_fine(world: World, node: Path) -> None:
    repo = node / "code" / "heart"
    (repo / "flat").mkdir()
    (repo / "flat" / "__init__.py").write_text("")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "flat")
    assert world(root=".", module="flat") == []
    assert world(repo=f"file://{repo}") == []
    assert only(world(repo=f"file://{repo}", branch="none")).key == "projects.heart.code.branch"


def test_what_is_not_committed_does_not_count(world: World, node: Path) -> None:
    """The node runs commits: a module that lies in the folder alone would be missing later."""
    (node / "code" / "heart" / "src" / "draft.py").write_text("")
    assert "there is no module draft" in only(world(module="draft")).what


def test_without_git_the_remedy_is_to_install_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "apt-get install git" in only(world()).remedy


def test_checking_runs_nothing_of_the_repo(world: World, node: Path) -> None:
    """A repo's own settings may name programs: looking at it must not start them."""
    trap = node / "sprung"
    git(node / "code" / "heart", "config", "core.fsmonitor", f"touch {trap}")
    git(node / "code" / "heart", "config", "core.hooksPath", str(node))
    world()
    assert not trap.exists()


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


def test_a_port_in_use_is_named(world: World, busy_port: int) -> None:
    problem = only(world(port=busy_port))
    assert problem.key == "gateway.port"
    assert f"port {busy_port} is in use" in problem.what


def test_the_port_of_the_running_node_is_its_own(world: World, node: Path, busy_port: int) -> None:
    """`phems check` on a node that runs must not tell its operator to stop it."""
    (node / "data").mkdir()
    with (node / "data" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert world(port=busy_port) == []
    assert only(world(port=busy_port)).key == "gateway.port"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_named(world: World, host: str) -> None:
    assert only(world(host=host)).key == "gateway.host"


def test_an_interpreter_must_be_there_and_run(world: World, node: Path) -> None:
    assert "does not exist" in only(world(python="envs/none/bin/python")).what
    (node / "python").write_text("")
    assert "cannot be executed" in only(world(python="python")).what


def test_a_wheelhouse_must_be_a_folder(world: World) -> None:
    """Otherwise the first that anybody hears of it is a host that does not load."""
    problem = only(world(wheelhouse="no-wheels"))
    assert (problem.key, "is not a folder" in problem.what) == ("environments.wheelhouse", True)


def test_a_folder_that_cannot_be_made_is_named(world: World, node: Path) -> None:
    (node / "blocked").write_text("")
    problem = only(world(data_dir="blocked/data"))
    assert problem.key == "data_dir"
    assert "is not a folder" in problem.what


def test_a_folder_that_cannot_be_written_is_named(world: World, node: Path) -> None:
    """As an ordinary user, also when the tests run as root."""
    locked = node / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        from phems.adapters.node_check import _folder_faults
        from phems.nodespec import node_paths

        spec = parse_node("version: 1\nnode: {name: a}\ncontroller: {name: b}\ndata_dir: locked/data\n")
        found = dict(_folder_faults(node_paths(spec, node)))
        os._exit(0 if "cannot be written" in found.get(("data_dir",), ("",))[0] else 1)
    _, status = os.waitpid(child, 0)
    locked.chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0
