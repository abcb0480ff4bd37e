"""What an operator is told to look at: nothing of a well node, and each thing that is wrong with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from phems.errors import UnavailableError
from phems.services.node_health import Health, NodeHealth
from phems.services.ports.node_health import (
    ControlRole,
    DatabaseFacts,
    DiskSpace,
    ProjectHost,
    RunningNode,
)

GIB = 1024**3
HOST = ProjectHost(
    project="heart",
    code_digest="sha256:1",
    state="READY",
    is_current=True,
    pid=2,
    restarts=0,
    running_steps=0,
    load_seconds=1.0,
    error="",
)
ROLE = ControlRole(name="orchestrator", pid=1, is_running=True, error="")
WELL = RunningNode(
    pid=1,
    url="http://127.0.0.1:3000",
    sandbox="bubblewrap",
    is_isolating=True,
    roles=[ROLE],
    hosts=[HOST],
    queues=[],
    workers=[],
    runs=0,
    warnings=[],
    age_seconds=0.5,
)
DISK = DiskSpace(place="Data", path="/data", total_bytes=100 * GIB, free_bytes=50 * GIB)


@dataclass
class Parts:
    """A node's parts, as a test has them be."""

    node: RunningNode | None = WELL
    disk: DiskSpace = DISK

    def running(self) -> RunningNode | None:
        return self.node

    def space(self) -> Sequence[DiskSpace]:
        return [self.disk]

    def facts(self) -> DatabaseFacts:
        raise UnavailableError("The database cannot be reached; nothing was done.", why="it is stopped.")


def health(parts: Parts) -> Health:
    nobody: Any = None  # a database that cannot be reached is not asked for policies
    return NodeHealth(
        "st-mary",
        status=parts,
        disks=parts,
        database=parts,
        policies=nobody,
        anchoring=None,
        lineage=list,
        versions=dict,
    ).now()


def warnings(node: RunningNode | None = WELL, disk: DiskSpace = DISK) -> list[str]:
    """What is told beside the database, which is away in all of these."""
    return [each for each in health(Parts(node, disk)).warnings if "Postgres" not in each]


def test_a_database_that_is_away_is_told_and_hides_nothing_else() -> None:
    """Otherwise the page on what is wrong would itself be an error when something is."""
    found = health(Parts())
    assert found.warnings == (
        "Postgres cannot be reached: The database cannot be reached; nothing was done. it is stopped.",
    )
    assert found.running == WELL


def test_a_well_node_is_not_warned_about() -> None:
    """Warnings that are always there are not read."""
    assert warnings() == []


def test_code_that_does_not_load_is_told_by_its_project() -> None:
    failed = replace(HOST, state="FAILED", error="ModuleNotFoundError: nothing")
    assert warnings(replace(WELL, hosts=[failed])) == ["The code of heart does not run: see its error."]
    # What an older revision failed with is of no use to anybody.
    assert warnings(replace(WELL, hosts=[replace(failed, is_current=False)])) == []


def test_a_node_without_a_wall_says_so_as_long_as_it_runs() -> None:
    assert warnings(replace(WELL, is_isolating=False, sandbox="NO SANDBOX")) == ["NO SANDBOX."]


def test_a_part_that_ended_is_named() -> None:
    """Otherwise releases stay approved and nobody learns that nothing publishes them."""
    ended = ControlRole(name="publisher", pid=1, is_running=False, error="its thread has ended.")
    assert warnings(replace(WELL, roles=[ended])) == ["The publisher does not run: its thread has ended."]


def test_a_node_that_hangs_is_noticed() -> None:
    assert warnings(replace(WELL, age_seconds=90)) == ["The node last told how it is 90 seconds ago."]


def test_room_is_short_when_it_is_little_and_a_small_part() -> None:
    """A small disk that is half empty is no reason to wake anybody; nor are 100 GiB of a large one."""
    assert warnings(disk=replace(DISK, free_bytes=GIB)) == [
        "Room is short where Data lies: 1024 MiB are free."
    ]
    assert warnings(disk=replace(DISK, total_bytes=2 * GIB, free_bytes=GIB)) == []
    assert warnings(disk=replace(DISK, total_bytes=10_000 * GIB, free_bytes=100 * GIB)) == []
