"""Both deployments with a year behind them: ten thousand runs, and on the node a thousand release requests.

The runs are copies of two that each side has done itself, one in each of two projects, with the same tags on
both sides: what a list of runs reads has the same size everywhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from ruamel.yaml import YAML

from benchmarks.node import HERE, PLAIN, make_repo, start_node
from benchmarks.side import Side, SideError
from benchmarks.stock import CodeLocation, start_stock
from phems.bootstrap.opening import open_node
from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.releases import (
    FileGroup,
    FrozenFile,
    ReleasePolicy,
    ReleaseRequest,
    RunOrigin,
    request_id,
)

RUNS = 10_000
REQUESTS = 1000
PEOPLE = tuple(f"analyst-{number:02}" for number in range(50))
OPERATOR = "olga"
PROJECTS = tuple(project.name for project in PLAIN)
JOB = "one_op"
JOB_SECONDS = 120.0


@dataclass
class Crowded:
    """A side that runs, and what each of the people sends along."""

    side: Side
    headers: Mapping[str, Mapping[str, str]]


def start_crowded_node() -> Crowded:
    """A node with two projects, fifty analysts of the first, and a history."""
    folders: list[Path] = []

    def lay_out(folder: Path) -> Path:
        for project in PLAIN:
            make_repo(HERE / "project", folder / "code" / project.name)
        node = folder / "node"
        node.mkdir()
        document = YAML().load(HERE / "node.yaml")
        bench = document["projects"]["bench"]
        two = {**bench, "code": {"repo": "../code/bench-two", "module": "bench.definitions"}}
        document["projects"]["bench-two"] = two
        members = {**bench["members"], "data_analyst": ["ana", *PEOPLE]}
        document["projects"]["bench"] = {**bench, "members": members}
        document["roles"] = {"operator": [OPERATOR]}
        with (node / "node.yaml").open("w") as stream:
            YAML().dump(document, stream)
        folders.append(node)
        return node

    side = start_node(lay_out, PLAIN)
    try:
        with open_node(folders[0]) as node:
            tokens = {}
            for name in (*PEOPLE, OPERATOR):
                node.users.add_user(LOCAL_OPERATOR, name)
                tokens[name] = node.users.issue_token(LOCAL_OPERATOR, name).secret
            copies = _copy_runs(side, side.address, lambda _project: {})
            with node.governance.transaction() as work:
                for number in range(REQUESTS):
                    work.releases.save(_request(number, copies))
    except BaseException:
        side.close()
        raise
    return Crowded(side, {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()})


def start_crowded_stock() -> Crowded:
    """Stock Dagster with the same code locations and the same runs; who asks it is nobody in particular."""
    root = HERE / "project" / "src"
    side = start_stock(
        [CodeLocation(name, root, "bench.definitions") for name in PROJECTS], queue="none", with_daemon=False
    )
    try:
        _copy_runs(side, side.address, lambda project: {**_AS_STAMPED, "phems/project": project})
    except BaseException:
        side.close()
        raise
    return Crowded(side, {name: {} for name in (*PEOPLE, OPERATOR)})


# What the node stamps on a run beside its project. A run of stock Dagster is given as many tags as long.
_AS_STAMPED = {
    "phems/requester": "ana",
    "phems/code_revision": "0123456789ab",
    "phems/capsule": "0123456789ab",
    "phems/approval": "code: wei",
    "phems/sandbox": "isolating",
}


def _copy_runs(side: Side, address: str, tags: Callable[[str], Mapping[str, str]]) -> Sequence[str]:
    """Do a run of each project, and copy it until there are enough; gives the ids of the first's copies."""
    samples = [side.client.launch(project, JOB, {}, tags(project)) for project in PROJECTS]
    ended = side.runs.wait(samples, JOB_SECONDS)
    if set(ended.values()) != {"SUCCESS"}:
        raise SideError(f"the runs to be copied did not succeed: {ended}")
    connection = psycopg2.connect(address)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            copies = _copy_in_turn(cursor, samples, RUNS // len(samples) - 1)
            cursor.execute("ANALYZE runs, run_tags")
    finally:
        connection.close()
    return copies


_COPIES = "unnest(%s::text[], %s::text[], %s::int[]) AS copy (source, run_id, minutes)"


def _copy_in_turn(cursor: Any, samples: Sequence[str], times: int) -> Sequence[str]:
    """Copy the runs under new ids, a minute apart, the projects in turn; gives the copies of the first."""
    sources = [run_id for _ in range(times) for run_id in samples]
    copies = [str(uuid.uuid4()) for _ in sources]
    copied = (sources, copies, list(range(1, len(sources) + 1)))
    cursor.execute(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = 'runs' AND table_schema = current_schema() AND column_name <> 'id'"
    )
    changed = {
        "run_id": "copy.run_id",
        "run_body": "replace(run_body, runs.run_id, copy.run_id)",
        "create_timestamp": "create_timestamp - make_interval(mins => copy.minutes::int)",
        "update_timestamp": "update_timestamp - make_interval(mins => copy.minutes::int)",
    }
    names = [row[0] for row in cursor.fetchall()]
    values = ", ".join(changed.get(name, f"runs.{name}") for name in names)
    cursor.execute(
        f"INSERT INTO runs ({', '.join(names)}) SELECT {values} "  # noqa: S608 (names of Dagster's own)
        f"FROM runs JOIN {_COPIES} ON runs.run_id = copy.source ORDER BY copy.minutes DESC",
        copied,
    )
    cursor.execute(
        "INSERT INTO run_tags (run_id, key, value) SELECT copy.run_id, key, value "  # noqa: S608 (as above)
        f"FROM run_tags JOIN {_COPIES} ON run_tags.run_id = copy.source",
        copied,
    )
    return copies[:: len(samples)]


def _request(number: int, runs: Sequence[str]) -> ReleaseRequest:
    """A release request of the first project that waits for its votes: two files of one run."""
    run = runs[number]
    files = [
        FrozenFile(f"{run}/{name}.csv", f"{number:064x}", 4096, "text/csv", run, "nothing")
        for name in ("counts", "model")
    ]
    return ReleaseRequest(
        id=request_id(number.to_bytes(5, "big")),
        project=PROJECTS[0],
        requester=PEOPLE[number % len(PEOPLE)],
        authors=frozenset({PEOPLE[number % len(PEOPLE)]}),
        policy=ReleasePolicy("default", 2, ("csv",), 10_000_000),
        requested_at=datetime.now(UTC) - timedelta(hours=number),
        groups=(FileGroup("default", "Counts by ward", "No count below ten"),),
        files=tuple(files),
        runs=(RunOrigin(run, launched_by="ana"),),
    )
