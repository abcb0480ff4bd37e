"""Attack 33: Postgres restarted in mid-run. The run survives, and nothing of it is lost or doubled."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from tests.nodes import RunningNode
from tests.server_nodes import ServerSite
from tests.server_stories import ends_well, go_on, waiting

from phems.adapters.postgres.database import Database


def test_33_a_run_outlives_postgres(
    server_node: RunningNode, server_node_site: ServerSite, server_database: Database
) -> None:
    run_id = waiting(server_node)
    server = server_database.server
    assert server is not None
    pid_file = server.data / "postmaster.pid"
    killed = int(pid_file.read_text().split()[0])
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        with suppress(Exception):
            pid = int(pid_file.read_text().split()[0])
            return pid != killed and server_node.instance.get_run_by_id(run_id) is not None
        return False

    server_node.wait_for(is_back, "another Postgres", 60)
    go_on(server_node, run_id)
    ends_well(server_node, server_node_site, run_id, ["counted", "waits", "counted_after"])
