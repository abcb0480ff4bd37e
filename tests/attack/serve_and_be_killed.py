"""A node of its own process, for the test that kills it: `python serve_and_be_killed.py FOLDER`.

Prints the id of a run of the ward, once that run's second step waits, and serves on.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from attacked_node import WARD, AttackedNode, until

if __name__ == "__main__":
    with AttackedNode(Path(sys.argv[1]), approve=(WARD,)) as node:
        run_id = node.launch(WARD, "waiting_job")
        until(lambda: "wait_for_go" in node.started_steps(run_id), 30, "the run waits")
        print(run_id, flush=True)  # noqa: T201
        threading.Event().wait()
