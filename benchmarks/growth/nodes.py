"""The nodes that grow: their projects are copies of the benchmark's, the code approved before the start."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.graphql import GraphQLClient
from benchmarks.memory import sizes_mb
from benchmarks.node import HERE, PHEMS, make_repo
from benchmarks.process_group import make_group
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
from phems.bootstrap.opening import open_node
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.nodespec import load_node, node_paths

ANALYST, OWNER = "ana", "wei"
START_SECONDS = 600.0


@dataclass
class Grown:
    """A node that runs, and how long it took from its start until every project was ready."""

    side: Side
    start_seconds: float


def names(count: int) -> list[str]:
    """The projects."""
    return [f"bench-{number:02}" for number in range(count)]


def start_grown(projects: int, runs: int = 10) -> Grown:
    """A node with so many projects, each of which may have so many runs in progress."""
    closing = ExitStack()
    try:
        return _start(closing, projects, runs)
    except BaseException:
        closing.close()
        raise


def imports_mb() -> float:
    """The proportional set size, in MB, of a Python that has imported the project and waits."""
    code = "import bench.definitions; print(flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": str(HERE / "project" / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        _, pss = sizes_mb(Path(f"/proc/{process.pid}/smaps_rollup").read_text())
        process.kill()
    return pss


def _start(closing: ExitStack, projects: int, runs: int) -> Grown:
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="phems-bench-")))
    folder.chmod(0o755)
    port = free_port()
    node = _lay_out(folder, projects, runs, port)
    token = _approve(node, projects)
    spec = load_node(node)
    paths = node_paths(spec, node)
    group = make_group("growth")
    closing.callback(group.close)
    logs = folder / "logs"
    began = time.monotonic()
    process = start_process([PHEMS, "serve", "--node", node], logs / "serve.log", os.environ, node)
    closing.callback(end_process, process, 60.0)
    group.adopt(process.pid)
    status = paths.data_dir / "status.json"

    def ready() -> bool:
        if process.poll() is not None:
            raise SideError(f"phems serve ended with exit code {process.returncode}", log_tails(logs))
        if not status.exists():
            return False
        hosts = json.loads(status.read_text())["hosts"]
        return sum(host["state"] == "READY" for host in hosts) == projects

    wait_for(ready, f"the start of {projects} projects", START_SECONDS)
    seconds = time.monotonic() - began
    client = GraphQLClient(f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"})
    client.wait_until_loaded(set(names(projects)), READY_SECONDS)
    address = closing.enter_context(open_database(spec, paths, start=False)).url("dagster")
    table = RunTable(address)
    closing.callback(table.close)
    return Grown(Side("growth", names(projects)[0], client, table, group, address, closing), seconds)


def _lay_out(folder: Path, projects: int, runs: int, port: int) -> Path:
    node = folder / "node"
    node.mkdir()
    document = YAML().load(HERE / "node.yaml")
    plain = document["projects"].pop("bench")
    for name in names(projects):
        make_repo(HERE / "project", folder / "code" / name)
        code = {"repo": f"../code/{name}", "module": "bench.definitions"}
        queue = {"concurrency": 4, "runs": runs}
        document["projects"][name] = {**copy.deepcopy(plain), "code": code, "queue": queue}
    document["gateway"] = {"host": "127.0.0.1", "port": port}
    with (node / "node.yaml").open("w") as stream:
        YAML().dump(document, stream)
    return node


def _approve(folder: Path, projects: int) -> str:
    with open_node(folder) as node:
        for person in (ANALYST, OWNER):
            node.users.add_user(LOCAL_OPERATOR, person)
        for name in names(projects):
            revision = node.code_revisions.submit(Actor(ANALYST), name)
            node.code_revisions.approve(Actor(OWNER), name, revision.commit)
        return node.users.issue_token(LOCAL_OPERATOR, ANALYST).secret
