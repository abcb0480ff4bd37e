"""Attack 34: the whole control process is killed (SIGKILL) in mid-run, and the next one finishes the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.integration.engine.conftest import SHAPES
from tests.integration.engine.processes import pids_with
from tests.made_databases import give_database
from tests.nodes import running_node, succeeded, temporary_site

from phems.serve import ServingNode

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent


def test_a_killed_node_s_run_is_finished_by_the_next_and_nothing_runs_twice() -> None:
    """Otherwise a power cut loses runs, or does finished steps again."""
    with temporary_site() as site:
        site.add_project("shapes", SHAPES, code={"repo": "../shapes-code", "module": "shapes.definitions"})
        give_database(ServingNode(site.node_folder))  # here: who is killed cleans nothing up
        doomed = subprocess.Popen(
            [sys.executable, str(HERE / "doomed_node.py"), str(site.folder), "waiting"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert doomed.stdout is not None
        try:
            run_id = doomed.stdout.readline().strip()
            assert run_id, "the node did not come up"
        finally:
            doomed.send_signal(signal.SIGKILL)
            doomed.wait(30)

        with running_node(site) as node:
            # Hosts die with the process that started them: no step of the dead node goes on.
            hosts = node.serving.control.hosts
            assert len([s for s in hosts.status() if s.project == "shapes"]) == 1
            node.wait_for(
                lambda: node.artifact(f"count-{run_id}").read_text().split().count("waits") == 2,
                "the waiting step, once more",
            )
            node.artifact(f"go-{run_id}").touch()
            run = node.finished(run_id)
            assert succeeded(run), node.story(run_id)
            executed = node.artifact(f"count-{run_id}").read_text().split()
            assert executed == ["counted", "waits", "waits", "counted_after"]
            with node.serving.node.governance.transaction() as work:
                entries = {entry.action for entry in work.audit.entries() if entry.subject == run_id}
            assert {"run.admit", "run.resume"} <= entries
        assert not pids_with(str(site.folder))
