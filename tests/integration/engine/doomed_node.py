"""A node in a process of its own, for a test to kill: `python doomed_node.py SITE_FOLDER JOB`.

Prints the run's id when its step waits, and then serves until it is killed.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.nodes import NodeSite, RunningNode


def main() -> None:
    """Serve, launch, tell, wait."""
    node = RunningNode(NodeSite(Path(sys.argv[1]))).start()
    node.approve("shapes")
    node.ready("shapes")
    run_id = node.launch(sys.argv[2])
    node.wait_for(lambda: node.artifact(f"waiting-{run_id}").exists(), "the waiting step")
    print(run_id, flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
