"""Attack 34: the control process that drives is killed. The next finishes the run, and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.nodes import RunningNode
from tests.rabbitmq import free_ports
from tests.server_nodes import ServerSite
from tests.server_stories import ends_well, executed, go_on, until_waiting

TAKEN_OVER_SECONDS = 30.0
STARTED_SECONDS = 180.0  # a whole process starts, on a machine that others may use as well
LEADS = "This process drives the runs"


@contextmanager
def standing_by(node: RunningNode, site: ServerSite) -> Iterator[int]:
    """Another control process leads, and this one waits; gives the pid of the other."""
    node.stop()
    other = site.start_control(free_ports(1)[0])
    try:
        _until_it_leads(node, site, other)
        node.start()
        assert not node.serving.control.is_leading, "two lead"
        yield other.pid
    finally:
        site.stop_controls()


def _until_it_leads(node: RunningNode, site: ServerSite, other: subprocess.Popen[bytes]) -> None:
    def leads() -> bool:
        assert other.poll() is None, "it has ended"
        return LEADS in site.control_log()

    try:
        node.wait_for(leads, "the other control process", STARTED_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{site.control_log()}") from error


def test_34_the_next_leader_finishes_the_run(server_node: RunningNode, server_node_site: ServerSite) -> None:
    with standing_by(server_node, server_node_site) as leader:
        server_node.ready("shapes")
        # Asked for here, driven there: the daemon that dequeues it is the leader's.
        run_id = server_node.launch("waiting")
        until_waiting(server_node, run_id)
        assert server_node.serving.control.daemons is None, "two daemons run"
        os.kill(leader, signal.SIGKILL)
        server_node.wait_for(
            lambda: server_node.serving.control.is_leading, "the next leader", TAKEN_OVER_SECONDS
        )
        go_on(server_node, run_id)
        # The step lived on in its worker: it was adopted, not started again.
        ends_well(server_node, server_node_site, run_id, ["counted", "waits", "counted_after"])


def test_34_a_run_driven_elsewhere_is_cancelled_from_here(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    with standing_by(server_node, server_node_site):
        server_node.ready("shapes")
        run_id = server_node.launch("waiting")
        until_waiting(server_node, run_id)
        server_node.terminate(run_id)
        assert server_node.finished(run_id).status.value == "CANCELED"
        assert executed(server_node, run_id) == ["counted", "waits"]
    server_node.wait_for(
        lambda: server_node.serving.control.is_leading, "the next leader", TAKEN_OVER_SECONDS
    )
