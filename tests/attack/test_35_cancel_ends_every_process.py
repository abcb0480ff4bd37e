"""Case 35: cancel: every process of the run is gone within seconds, also when it does not want to go."""

from __future__ import annotations

import secrets
import time

import psutil
import pytest
from attacked_node import INTRUDER, WARD, AttackedNode, until

DEAF_HOST = '''"""Definitions whose host does not hear that a step is to end."""
from phems.host import process_tree

process_tree.end = lambda *_: None
process_tree.end_strays = lambda *_: None
'''


def a_marker() -> str:
    """A number of seconds that nobody else sleeps."""
    return f"{secrets.randbelow(10**6) + 10**5}.{secrets.randbelow(10**6)}"


def marked(marker: str) -> list[psutil.Process]:
    """Processes of this machine that carry the marker."""
    return [p for p in psutil.process_iter(["cmdline"]) if marker in (p.info["cmdline"] or ())]


def cancel(site: AttackedNode, expected_processes: int) -> float:
    """Launch the stubborn job, cancel it once its processes are there; the seconds until all are gone."""
    marker = a_marker()
    run_id = site.launch(
        INTRUDER, "stubborn_job", config={"ops": {"stubborn": {"config": {"marker": marker}}}}
    )
    until(lambda: len(marked(marker)) == expected_processes, 20, "its processes are there")
    began = time.monotonic()
    assert site.instance.run_launcher.terminate(run_id)
    until(lambda: not marked(marker), 15, "its processes are gone")
    seconds = time.monotonic() - began
    assert site.wait(run_id).status.value == "CANCELED", site.log(run_id)
    assert "STEP_SUCCESS" not in site.event_types(run_id)
    return seconds


def test_children_orphans_and_deaf_processes_are_gone(site: AttackedNode) -> None:
    """Otherwise a cancelled run would go on reading patients behind everybody's back."""
    assert cancel(site, 3) < 4
    run_id = site.launch(INTRUDER, "plain_job")
    assert site.wait(run_id).is_success, "the host has lived through it"


def test_a_host_that_does_not_do_as_it_is_told_is_ended_itself(own_site: AttackedNode) -> None:
    """Otherwise project code could make itself unstoppable by a line in its definitions."""
    site = own_site
    path = "src/intruder/definitions.py"
    text = (site.folder / "repos" / INTRUDER / path).read_text()
    digest = site.deliver(INTRUDER, {path: DEAF_HOST + text})
    site.wait_for_code(INTRUDER, digest)
    assert cancel(site, 3) < 10
    run_id = site.launch(WARD, "count_job")
    assert site.wait(run_id).is_success, "the other project has not noticed"


@pytest.mark.parametrize("job", ["stubborn_job"])
def test_stopping_the_node_leaves_no_process(own_site: AttackedNode, job: str) -> None:
    """Otherwise project code would outlive the node that watches it."""
    site = own_site
    marker = a_marker()
    site.launch(INTRUDER, job, config={"ops": {"stubborn": {"config": {"marker": marker}}}})
    until(lambda: len(marked(marker)) == 3, 20, "its processes are there")
    site.serving.stop()
    until(lambda: not marked(marker), 5, "its processes are gone")
