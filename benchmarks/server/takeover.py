"""`python -m benchmarks.server.takeover`: how long nobody drives a node's runs when its leader is killed.

Two control processes as people start them, a worker, and a run whose step ends while nobody leads. Told for
each round: seconds from `kill -9` of the leader until the other leads, and until the run has come to its end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import text
from tests.nodes import RunningNode, running_node, succeeded
from tests.rabbitmq import free_ports, running_rabbitmq
from tests.server_nodes import SHAPES, ServerSite, server_site
from tests.server_stories import go_on, until_waiting

from phems.adapters.postgres.database import Database, open_embedded

LEADS = "This process drives the runs"
SECONDS = 120.0
_WAITING = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
    "AND objid::bigint = hashtext('phems leader')::bigint & 4294967295"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server.takeover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="phems-"))
    folder.chmod(0o755)
    try:
        with (
            running_rabbitmq() as rabbitmq,
            open_embedded(
                data=folder / "postgres", keys=folder / "keys", runtime_dir=folder / "run", start=True
            ) as database,
            server_site(folder, database, rabbitmq) as site,
        ):
            site.add_project(
                "shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"}
            )
            with running_node(site) as node:
                node.approve("shapes")
                site.phems("broker", "init", PHEMS_BROKER_ADMIN=rabbitmq.admin_url)
                node.stop()
                site.start_worker()
                start_control(site, node, LEADS)
                found = [one_round(site, node, database) for _ in range(rounds)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for number, what in enumerate(("until another leads", "until the run has ended")):
        seconds = [times[number] for times in found]
        told = ", ".join(f"{each:.2f}" for each in seconds)
        print(f"{what:<24} median {median(seconds):.2f} s  ({told})")
    return 0


def one_round(site: ServerSite, node: RunningNode, database: Database) -> tuple[float, float]:
    """The leader is killed, and the one that waits drives its run to the end."""
    (leader,) = site.controls
    node.wait_for(lambda: waiting_leaders(database) == 0, "the end of who looked on before", SECONDS)
    start_control(site, node, "")
    node.wait_for(lambda: waiting_leaders(database) == 1, "the one that waits", SECONDS)
    node.start()  # to launch and to look on: it waits behind the other
    try:
        node.ready("shapes", seconds=SECONDS)
        run_id = node.launch("waiting")
        until_waiting(node, run_id)
        killed = time.monotonic()
        os.kill(leader.pid, signal.SIGKILL)
        go_on(node, run_id)
        node.wait_for(lambda: LEADS in site.control_log(), "the next leader", SECONDS)
        led = time.monotonic() - killed
        assert succeeded(node.finished(run_id, SECONDS)), node.story(run_id)
        ended = time.monotonic() - killed
    finally:
        node.stop()
    leader.wait()
    site.controls.remove(leader)
    return led, ended


def start_control(site: ServerSite, node: RunningNode, until: str) -> None:
    """Start a control process, and wait until it says so."""
    site.start_control(free_ports(1)[0])
    node.wait_for(lambda: until in site.control_log(), "a control process", SECONDS)


def waiting_leaders(database: Database) -> int:
    """How many wait for the lock of the leader."""
    with database.engine("dagster").connect() as connection:
        return int(connection.execute(_WAITING).scalar_one())


if __name__ == "__main__":
    raise SystemExit(main())
