"""Attack 31: a worker killed in mid-step. The step is started once more, and its effect counts once."""

from __future__ import annotations

from tests.nodes import RunningNode
from tests.server_nodes import ServerSite
from tests.server_stories import ends_well, go_on, kill_workers, until_waiting, waiting


def test_31_the_step_of_a_killed_worker_is_started_once_more(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    run_id = waiting(server_node)
    server_node.artifact(f"waiting-{run_id}").unlink()
    kill_workers(server_node)
    until_waiting(server_node, run_id)
    go_on(server_node, run_id)
    ends_well(server_node, server_node_site, run_id, ["counted", "waits", "waits", "counted_after"])
    assert "started again" in server_node.story(run_id)


def test_31_dynamic_outputs_of_a_killed_worker_count_once(
    server_node: RunningNode, server_node_site: ServerSite
) -> None:
    run_id = waiting(server_node, "waiting_dynamic")
    server_node.wait_for(
        lambda: any(event.is_successful_output for event in server_node.events(run_id)), "the first part"
    )
    server_node.artifact(f"waiting-{run_id}").unlink()
    kill_workers(server_node)
    until_waiting(server_node, run_id)
    go_on(server_node, run_id)
    server_node.finished(run_id, seconds=90)
    assert server_node.artifact(f"collected-{run_id}").read_text() == "[1, 2]", server_node.story(run_id)
