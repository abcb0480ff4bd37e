"""`phems run` against a whole running node: what people type, what they read, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_node import OTHER, PROJECT, SmallNode, free_port, until
from tests.typed_lines import Phems, Said, typed


@pytest.fixture
def phems(node: SmallNode, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Phems:
    """The command line in the node's folder, as ana unless `who` says otherwise."""
    monkeypatch.setenv("PHEMS_NODE", str(node.folder))

    def run(*arguments: str, who: str = "ana") -> Said:
        monkeypatch.setenv("PHEMS_TOKEN", node.tokens.get(who, who))
        return typed(capfd, *arguments)

    return run


def test_a_run_is_launched_followed_and_shown(phems: Phems) -> None:
    told = phems("run", "launch", PROJECT, "two_steps", "--tag", "study=pilot")
    assert told.code == 0
    assert "succeeded" in told.out
    assert "speak: done" in told.err
    assert told.err.rstrip().endswith("SUCCESS")
    (run,) = phems("run", "list", "--project", PROJECT, "--limit", "1", "--json").data
    assert (run["job"], run["requester"], run["project"]) == ("two_steps", "ana", PROJECT)
    assert run["tags"]["study"] == "pilot"
    shown = phems("run", "show", run["id"][:10], "--json").data
    assert shown["code_revision"]
    assert [(step["key"], step["status"]) for step in shown["steps"]] == [
        ("speak", "SUCCESS"),
        ("double", "SUCCESS"),
    ]
    assert "speak" in phems("run", "show", run["id"]).out


def test_a_failed_run_tells_what_the_code_raised(phems: Phems) -> None:
    """The author must see the error of their own code, not Dagster's around it."""
    told = phems("run", "launch", PROJECT, "failing")
    assert told.code == 1
    assert "step break_down: ValueError: the cohort is empty" in told.err
    short = told.err.rpartition("phems run logs ")[2].strip()
    logs = phems("run", "logs", short, "--step", "break_down").out
    assert 'raise ValueError("the cohort is empty")' in logs
    assert "site-packages/dagster" not in logs
    assert "the cohort is empty" in phems("run", "show", short).out


def test_a_step_that_was_tried_again_says_how_often(phems: Phems) -> None:
    told = phems("run", "launch", PROJECT, "retrying")
    assert (told.code, "stumble: to be tried again" in told.err) == (0, True)
    (run,) = phems("run", "list", "--limit", "1", "--json").data
    (step,) = phems("run", "show", run["id"], "--json").data["steps"]
    assert (step["status"], step["attempts"]) == ("SUCCESS", 2)


def test_json_has_the_run_on_standard_output_and_the_failure_beside_it(phems: Phems) -> None:
    told = phems("run", "launch", PROJECT, "failing", "--json")
    assert told.code == 1
    assert told.data["status"] == "FAILURE"
    assert json.loads(told.err)["error"]["exit_code"] == 1


def test_a_refused_run_tells_the_reason_with_its_own_exit_code(phems: Phems) -> None:
    """A refusal that looked like a failure would send its reader to the logs of code that never ran."""
    told = phems("run", "launch", PROJECT, "two_steps", "--tag", "phems/project=other")
    assert told.code == 4
    assert "reserved" in told.err
    assert told.err.count("Why:") == 1


def test_who_may_not_launch_is_told_why(phems: Phems) -> None:
    other = phems("run", "launch", OTHER, "two_steps")
    assert (other.code, "phems project list" in other.err) == (3, True), "as one that does not exist"
    operator = phems("run", "launch", PROJECT, "two_steps", who="olga")
    assert (operator.code, "run.launch" in operator.err) == (4, True)
    stranger = phems("run", "list", who="phems_wrong")
    assert (stranger.code, "phems user token" in stranger.err) == (4, True), stranger


def test_names_that_do_not_exist_come_with_those_that_do(phems: Phems) -> None:
    for arguments, known in (
        ((PROJECT, "nope"), "counting, endless, failing, make_ages, retrying, two_steps"),
        ((PROJECT,), "counting, endless, failing, make_ages, retrying, two_steps"),
        ((PROJECT, "--asset", "nope"), "heart_attack/patients"),
        ((PROJECT, "--asset", "ward", "--partition", "west"), "north, south"),
        ((PROJECT, "--asset", "patients", "--partition", "north"), "no partitions"),
        (("no-such-project", "x"), "phems project list"),
    ):
        told = phems("run", "launch", *arguments)
        assert (told.code, known in told.err) == (3, True), told


def test_an_asset_is_materialized_for_a_partition(phems: Phems) -> None:
    told = phems("run", "launch", PROJECT, "--asset", "ward", "--partition", "south", "--json")
    assert (told.code, told.data["partition"]) == (0, "south")
    logs = phems("run", "logs", told.data["id"], "--json").data
    assert "ward south" in [event["message"] for event in logs]


def test_run_config_comes_from_a_file_or_the_line(phems: Phems, tmp_path: Path) -> None:
    config = {"ops": {"count": {"config": {"times": 3}}}}
    file = tmp_path / "config.yaml"
    file.write_text("ops:\n  count:\n    config: {times: 3}\n", encoding="utf-8")
    for given in (json.dumps(config), str(file)):
        told = phems("run", "launch", PROJECT, "counting", "--config", given, "--json")
        assert told.code == 0
        logs = phems("run", "logs", told.data["id"], "--step", "count").out
        assert "counted 3" in logs


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ('{"ops": {"count": {"config": {"times": "many"}}}}', "times"),
        ("{not json", "--config"),
        ("no-such-file.yaml", "no-such-file.yaml"),
    ],
)
def test_a_wrong_run_config_is_told_before_anything_runs(phems: Phems, config: str, part: str) -> None:
    told = phems("run", "launch", PROJECT, "counting", "--config", config)
    assert (told.code, part in told.err) == (2, True), told


def test_a_run_is_cancelled_and_a_second_time_refused(phems: Phems) -> None:
    run = phems("run", "launch", PROJECT, "endless", "--no-wait", "--json").data
    until(lambda: phems("run", "show", run["id"], "--json").data["status"] == "STARTED")
    assert phems("run", "cancel", run["id"][:10], "--json").data["status"] == "CANCELED"
    again = phems("run", "cancel", run["id"])
    assert (again.code, "CANCELED already" in again.err) == (4, True)


def test_logs_are_followed_to_the_end_and_printed_output_is_there(phems: Phems) -> None:
    run = phems("run", "launch", PROJECT, "two_steps", "--no-wait", "--json").data
    followed = phems("run", "logs", run["id"], "--follow").out
    assert "a word from the step" in followed
    assert "RUN_SUCCESS" in followed
    assert "printed by the step" in phems("run", "logs", run["id"], "--printed", "--step", "speak").out
    missing = phems("run", "logs", run["id"], "--step", "nope")
    assert (missing.code, "nope" in missing.err) == (3, True)


def test_a_run_id_that_is_unknown_or_means_several_is_told(phems: Phems) -> None:
    for _ in range(17):  # some two of them start with the same digit
        phems("run", "launch", PROJECT, "two_steps", "--no-wait")
    ids = [run["id"] for run in phems("run", "list", "--json", "--limit", "100").data]
    shared = next(first for first in "0123456789abcdef" if sum(each.startswith(first) for each in ids) > 1)
    several = phems("run", "show", shared)
    assert (several.code, "more of the run id" in several.err) == (2, True)
    for unknown in ("zzzz", "00000000-0000-0000-0000-000000000000"):
        told = phems("run", "show", unknown)
        assert (told.code, "phems run list" in told.err) == (3, True)


def test_lists_are_filtered(phems: Phems) -> None:
    phems("run", "launch", OTHER, "two_steps", who="ben")
    runs = phems("run", "list", "--project", OTHER, "--status", "success", "--json", who="ben").data
    assert {run["project"] for run in runs} == {OTHER}
    assert phems("run", "list", "--project", OTHER, "--json").data == [], "another's runs are not listed"
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert phems("run", "list", "--status", "nope").code == 2
    assert phems("run", "list", "--project", "no-such-project").out.startswith("No runs.")


def test_a_node_that_does_not_run_is_told_with_the_command_that_starts_it(
    phems: Phems, node: SmallNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (node.folder / "node.yaml").read_text(encoding="utf-8")
    (tmp_path / "node.yaml").write_text(text.replace(str(node.port), str(free_port())), encoding="utf-8")
    monkeypatch.setenv("PHEMS_NODE", str(tmp_path))
    told = phems("run", "list")
    assert (told.code, "phems serve" in told.err) == (5, True)
