"""The node as a hospital would run it: `phems serve`, and its code submitted and approved by two people.

Everything goes through the command line and the gateway, with sign-in, run queue, admission, audit log
and sandbox in. The numbers of `queue` in node.yaml are the defaults.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from benchmarks.graphql import GraphQLClient, GraphQLError
from benchmarks.process_group import ProcessGroup, make_group
from benchmarks.run_table import RunTable
from benchmarks.side import (
    READY_SECONDS,
    Side,
    SideError,
    end_process,
    free_port,
    log_tails,
    start_process,
    wait_for,
)
from phems.bootstrap.database import open_database
from phems.errors import PhemsError
from phems.nodespec import load_node, node_paths

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "hospital"
PHEMS = Path(sys.executable).with_name("phems")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*cache", ".git", "data", "releases")


@dataclass(frozen=True)
class Submitted:
    """A project of the node: whose code it is, and who approves it."""

    name: str
    analyst: str
    owner: str


BENCH = (Submitted("bench", "ana", "wei"),)
PLAIN = (*BENCH, Submitted("bench-two", "ana", "wei"))
HOSPITAL = (Submitted("heart-attack", "ana", "wei"), Submitted("breast-cancer", "ben", "ingrid"))


def start_bench_node() -> Side:
    """A node with the project of the benchmark alone."""

    def lay_out(folder: Path) -> Path:
        make_repo(HERE / "project", folder / "code" / "bench")
        node = folder / "node"
        node.mkdir()
        shutil.copy(HERE / "node.yaml", node)
        return node

    return start_node(lay_out, BENCH)


def start_plain_node() -> Side:
    """A node with two projects that import Dagster alone, at rest."""

    def lay_out(folder: Path) -> Path:
        for project in PLAIN:
            make_repo(HERE / "project", folder / "code" / project.name)
        node = folder / "node"
        node.mkdir()
        document = YAML().load(HERE / "node.yaml")
        code = {"repo": "../code/bench-two", "module": "bench.definitions"}
        document["projects"]["bench-two"] = {**document["projects"]["bench"], "code": code}
        with (node / "node.yaml").open("w") as stream:
            YAML().dump(document, stream)
        return node

    return start_node(lay_out, PLAIN)


def start_hospital_node() -> Side:
    """The example node: two projects with their data, at rest."""

    def lay_out(folder: Path) -> Path:
        node = folder / "node"
        shutil.copytree(EXAMPLE / "node", node, ignore=_NOT_COPIED)
        make_hospital_data(node / "sources")
        for project in HOSPITAL:
            make_repo(EXAMPLE / "code" / project.name, folder / "code" / project.name)
        return node

    return start_node(lay_out, HOSPITAL)


def make_hospital_data(folder: Path) -> None:
    """The example's data sources."""
    command: list[str | Path] = [sys.executable, EXAMPLE / "make_data.py", folder]
    subprocess.run(command, check=True, capture_output=True)


Beside = Callable[[Path, ProcessGroup, ExitStack], None]
"""Starts what runs beside the node in a folder; the group adopts what it starts, the stack ends it."""


def start_node(
    lay_out: Callable[[Path], Path], projects: Sequence[Submitted], beside: Beside | None = None
) -> Side:
    """A node that `lay_out` writes into a folder of its own, with the projects' code approved."""
    closing = ExitStack()
    try:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
        folder.chmod(0o755)  # Postgres runs under an account of its own when this is run as root
        return _serve(closing, lay_out(folder), projects, folder / "logs", beside)
    except BaseException:
        closing.close()
        raise


def _serve(
    closing: ExitStack, node: Path, projects: Sequence[Submitted], logs: Path, beside: Beside | None
) -> Side:
    port = free_port()
    _set_port(node / "node.yaml", port)
    group = make_group("node")
    closing.callback(group.close)
    process = start_process([PHEMS, "serve", "--node", node], logs / "serve.log", os.environ, node)
    closing.callback(end_process, process, 60.0)
    group.adopt(process.pid)
    paths = node_paths(load_node(node), node)
    status = paths.data_dir / "status.json"

    def serves() -> bool:
        if process.poll() is not None:
            raise SideError(f"phems serve ended with exit code {process.returncode}")
        return status.exists()

    try:
        wait_for(serves, "the node's start")
        people = {name for project in projects for name in (project.analyst, project.owner)}
        tokens = {name: _token(node, name) for name in sorted(people)}
        for project in projects:
            submitted = _phems(node, ["code", "submit", "-p", project.name], tokens[project.analyst])
            _phems(node, ["code", "approve", "-p", project.name, submitted["commit"]], tokens[project.owner])
        client = GraphQLClient(
            f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {tokens[projects[0].analyst]}"}
        )
        client.wait_until_loaded({projects[0].name}, READY_SECONDS)
        wait_for(lambda: _hosts_ready(status) == len(projects), "the project hosts' start")
        if beside is not None:
            beside(node, group, closing)
        database = closing.enter_context(open_database(load_node(node), paths, start=False))
    except (GraphQLError, SideError, PhemsError) as error:
        raise SideError(f"the node does not start: {error}", log_tails(logs)) from error
    runs = RunTable(database.url("dagster"))
    closing.callback(runs.close)
    side = Side("ours", projects[0].name, client, runs, group, database.url("dagster"), closing)
    side.remark = f"sandbox: {json.loads(status.read_text())['sandbox']}"
    return side


def _hosts_ready(status: Path) -> int:
    return sum(host["state"] == "READY" for host in json.loads(status.read_text())["hosts"])


def _token(node: Path, name: str) -> str:
    _phems(node, ["user", "add", name])
    return str(_phems(node, ["user", "token", name])["token"])


def _phems(node: Path, words: Sequence[str], token: str | None = None) -> dict[str, Any]:
    environment = {**os.environ, **({"PHEMS_TOKEN": token} if token else {})}
    command = [str(PHEMS), *words, "--node", str(node), "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SideError(f"phems {' '.join(words)}: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def make_repo(source: Path, target: Path) -> None:
    """A Git repository with what lies in a folder."""
    shutil.copytree(source, target, ignore=_NOT_COPIED)
    author = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*author, "commit", "-q", "-m", "First"]):
        subprocess.run(["git", *words], cwd=target, check=True, capture_output=True)


def _set_port(spec: Path, port: int) -> None:
    yaml = YAML()
    document = yaml.load(spec)
    document["gateway"] = {"host": "127.0.0.1", "port": port}
    with spec.open("w") as stream:
        yaml.dump(document, stream)
