"""phems code sync --watch, as a service of its own: it follows approvals, and ends when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from small_node import OTHER, SmallNode, commit_code, until

from phems.domain.actors import Actor


@pytest.fixture
def watching(node: SmallNode) -> Iterator[subprocess.Popen[str]]:
    """The command beside the running node, as systemd or a pod would run it."""
    command = [sys.executable, "-m", "phems.cli", "--node", str(node.folder), "code", "sync", "--watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.kill()
    process.wait()


def test_what_is_approved_appears_and_a_stop_ends_it_well(
    node: SmallNode, watching: subprocess.Popen[str]
) -> None:
    """Otherwise a cluster's volume has yesterday's code, and each update of the pod counts as a crash."""
    mount, revisions = node.serving.node.code_mount, node.serving.node.code_revisions
    until(lambda: mount.current(OTHER) is not None or watching.poll() is not None)
    before = mount.current(OTHER)
    commit_code(node.folder / "code" / OTHER, "# a second version\n")
    submitted = revisions.submit(Actor("ben"), OTHER)
    approved = revisions.approve(Actor("iris"), OTHER, submitted.commit)
    until(lambda: mount.current(OTHER) == approved.digest or watching.poll() is not None)
    assert mount.current(OTHER) != before
    definitions = node.serving.paths.code_mount(OTHER) / "current/src/breast_cancer/definitions.py"
    assert definitions.read_text(encoding="utf-8").endswith("# a second version\n")

    watching.send_signal(signal.SIGTERM)
    said, _ = watching.communicate(timeout=30)
    assert watching.returncode == 0, said
    assert "Traceback" not in said
    assert OTHER in said

    workspace = node.serving.control.workspace
    until(lambda: workspace.has_taken_in(OTHER, approved.digest))
