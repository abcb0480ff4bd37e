"""Case 34: the control process is killed: the next one finishes the run, and no finished step runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from attacked_node import ANA, WARD, AttackedNode, until, write_node_repo
from tests.folders import open_folder
from tests.made_databases import give_database

from phems.serve import ServingNode

SCRIPT = Path(__file__).parent / "serve_and_be_killed.py"
ROOT = Path(__file__).parents[2]


def sandboxes(folder: Path) -> list[psutil.Process]:
    """Sandboxes of the node in `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or ()
        if "bwrap" in "".join(command[:1]) and any(str(folder) in part for part in command):
            found.append(process)
    return found


def test_the_next_one_finishes_the_run(sandbox: None) -> None:
    """Otherwise a crash of the node would lose a night's work, or do part of it twice."""
    with open_folder() as place:
        folder = place / "site"
        write_node_repo(folder)
        give_database(ServingNode(folder))  # here: who is killed cleans nothing up
        with subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as child:
            assert child.stdout is not None
            run_id = child.stdout.readline().strip()
            assert run_id, "the node came up"
            assert sandboxes(folder)
            child.kill()
        until(lambda: not sandboxes(folder), 10, "no sandbox outlives the node")
        with AttackedNode(folder, approve=(WARD,)) as later:
            until(lambda: later.started_steps(run_id).count("wait_for_go") == 2, 40, "the step goes on")
            (later.data / "artifacts" / WARD / "go").touch()
            assert later.wait(run_id).is_success, later.log(run_id)
            assert later.started_steps(run_id) == ["before", "wait_for_go", "wait_for_go", "after"]
            assert later.event_types(run_id).count("PIPELINE_SUCCESS") == 1
            resumed = [e for e in later.audit() if e.action == "run.resume" and e.subject == run_id]
            assert len(resumed) == 1
            assert later.serving.node.audit.verify(ANA).ok
