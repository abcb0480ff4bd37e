"""What a project used is counted by the node, day by day, and told for accounting."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from tests.nodes import RunningNode, succeeded

from phems.bootstrap.usage import usage_of
from phems.cli.__main__ import main


def test_runs_steps_and_cpu_time_are_told_of_each_project(
    node: RunningNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody knows whom the machine works for, or a project says itself what it used."""
    monkeypatch.delenv("PHEMS_TOKEN", raising=False)
    run = node.run("diamond")
    assert succeeded(run)
    at_node = ["--node", str(node.site.node_folder), "usage"]

    def told() -> dict[str, dict[str, float]]:
        capsys.readouterr()
        assert main([*at_node, "--json"]) == 0
        return {row["project"]: row for row in json.loads(capsys.readouterr().out)}

    # A host that has loaded Dagster has used more than that.
    found = node.wait_for(
        lambda: (
            rows
            if (rows := told())["shapes"]["cpu_seconds"] > 0.5 and rows["shapes"]["cpu_seconds_told"]
            else None
        ),
        "a reading of the meter",
    )
    shapes = found["shapes"]
    assert shapes["cpu_seconds_told"] > 0

    def told_of_run() -> float:
        capsys.readouterr()
        assert main([*at_node, "--project", "shapes", "--runs", "--csv"]) == 0
        runs = {row["run"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
        return float(runs[run.run_id]["cpu_seconds_told"]) if run.run_id in runs else 0.0

    # Other runs of this node may have been told of before this one.
    node.wait_for(lambda: told_of_run() > 0, "what the run has used")
    assert main([*at_node, "--project", "narrow", "--runs", "--csv"]) == 0
    assert run.run_id not in capsys.readouterr().out
    assert shapes["runs"] >= 1
    assert shapes["steps"] >= 4
    for area in ("artifacts", "code", "compute_logs", "event_logs"):
        assert shapes[f"{area}_bytes"] > 0
    capsys.readouterr()
    assert main([*at_node, "--project", "shapes", "--csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert float(row["cpu_seconds"]) >= shapes["cpu_seconds"]
    assert int(row["storage_bytes"]) >= shapes["storage_bytes"] - 1
    capsys.readouterr()
    assert (
        main([*at_node, "--from", "2020-01-01", "--to", "2020-01-31", "--project", "shapes", "--json"]) == 0
    )
    (before,) = json.loads(capsys.readouterr().out)
    assert (before["runs"], before["steps"], before["cpu_seconds"]) == (0, 0, 0)
    assert main([*at_node, "--from", "2026-13-01"]) == 2
    assert main([*at_node, "--from", "2020-02-01", "--to", "2020-01-01"]) == 2
    assert main([*at_node, "--project", "nobody"]) == 3


def test_a_project_that_did_nothing_has_a_line_too(node: RunningNode) -> None:
    """A bill with lines left out is no bill."""
    day = date(2020, 1, 1)
    lines = usage_of(node.serving.node).of(["narrow", "shapes"], day, day)
    assert [(line.project, line.runs) for line in lines] == [("narrow", 0), ("shapes", 0)]
