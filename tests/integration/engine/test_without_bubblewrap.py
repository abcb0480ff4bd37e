"""A node without bubblewrap says so wherever somebody might believe otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.nodes import running_node, succeeded, temporary_site

from phems.adapters.status_file import read_status

CODE = """
import dagster as dg

@dg.op
def look() -> None: ...

@dg.job
def plain_job() -> None:
    look()

defs = dg.Definitions(jobs=[plain_job])
"""


@pytest.fixture
def no_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with all the programs of this one but bwrap."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            if program.name != "bwrap" and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    assert shutil.which("git")
    assert not shutil.which("bwrap")


@pytest.mark.usefixtures("no_bubblewrap")
def test_the_run_the_audit_log_and_the_status_say_that_there_is_no_sandbox() -> None:
    """Otherwise an auditor takes a run that could read every key for one that was walled off."""
    with temporary_site() as site:
        site.add_project("plain", {"src/plain/__init__.py": "", "src/plain/definitions.py": CODE})
        with running_node(site) as node:
            node.approve("plain")
            node.ready("plain")
            run = node.run("plain_job", project="plain")
            assert succeeded(run), node.story(run.run_id)
            assert run.tags["phems/sandbox"] == "none"
            with node.serving.node.governance.transaction() as work:
                entries = list(work.audit.entries())
            (admitted,) = [entry for entry in entries if entry.action == "run.admit"]
            assert admitted.details["sandbox"].startswith("NO SANDBOX")
            (started,) = [entry for entry in entries if entry.action == "node.start"]
            assert started.details["sandbox"].startswith("NO SANDBOX")
            status = node.wait_for(
                lambda: read_status(node.serving.paths.data_dir / "status.json"), "the node's status"
            )
            assert status["sandbox"].startswith("NO SANDBOX")
