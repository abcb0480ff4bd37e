"""What tests of server nodes ask and do again and again."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from sqlalchemy import text
from tests.nodes import RunningNode, succeeded
from tests.server_nodes import ServerSite


def waiting(node: RunningNode, job: str = "waiting") -> str:
    """Launch a job and wait until its step waits; gives the run's id."""
    run_id = node.launch(job)
    until_waiting(node, run_id)
    return run_id


def until_waiting(node: RunningNode, run_id: str) -> None:
    """Wait until a step of the run says that it waits."""
    node.wait_for(lambda: node.artifact(f"waiting-{run_id}").exists(), f"a waiting step of {run_id}", 60)


def go_on(node: RunningNode, run_id: str) -> None:
    """Let the waiting step end."""
    node.artifact(f"go-{run_id}").touch()


def executed(node: RunningNode, run_id: str) -> list[str]:
    """The steps that ran, once for each time, in order."""
    return node.artifact(f"count-{run_id}").read_text().split()


def ends_well(node: RunningNode, site: ServerSite, run_id: str, steps: Sequence[str]) -> None:
    """The run succeeds, having run just these steps, in this order."""
    run = node.finished(run_id, seconds=90)
    assert succeeded(run), node.story(run_id) + site.worker_log()
    assert executed(node, run_id) == list(steps), node.story(run_id)


def worker_pids(node: RunningNode) -> list[int]:
    """The processes that serve projects now."""
    with node.serving.node.database.engine("dagster").connect() as connection:
        return list(connection.execute(text("SELECT pid FROM engine.workers ORDER BY pid")).scalars())


def until_served(node: RunningNode, without: Sequence[int] = ()) -> list[int]:
    """Wait until a worker other than these is on record; gives the workers."""
    return node.wait_for(
        lambda: pids if (pids := worker_pids(node)) and not set(pids) & set(without) else None, "a worker", 60
    )


def kill_workers(node: RunningNode) -> None:
    """Kill the processes that serve projects, and wait until others have taken their place."""
    killed = until_served(node)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    until_served(node, without=killed)
