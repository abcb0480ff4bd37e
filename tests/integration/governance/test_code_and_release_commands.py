"""`phems code` and `phems release` as people type them, on a node's folder and at its address."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.folders import open_folder
from tests.integration.governance.governed_site import CodeRepo
from tests.integration.served_api import served_api

from phems.bootstrap import Node, started_node
from phems.cli.app import run
from phems.domain.actors import LOCAL_OPERATOR
from phems.nodespec import load_node, node_paths

NODE_YAML = """\
version: 1
node: {name: node-a}
controller: {name: Hospital A}
projects:
  heart:
    code: {repo: ../code}
    members:
      data_analyst: [ana]
      output_checker: [chris, cara]
      information_asset_owner: [ida]
"""


@pytest.fixture(scope="module", params=["folder", "address"])
def where(request: pytest.FixtureRequest) -> str:
    """Where people are: on the node's machine, or elsewhere. What they type, and are told, is the same."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(where: str) -> Iterator[Path]:
    """A Node Repo and a Code Repo in a folder whose path is short enough for sockets."""
    with open_folder() as place:
        (place / "node").mkdir()
        (place / "node/node.yaml").write_text(NODE_YAML)
        (place / "code").mkdir()
        repo = CodeRepo(place / "code")
        repo.git("init", "-q", "-b", "main")
        repo.commit({"src/heart/definitions.py": "defs = 1\n"}, "Begin")
        yield place


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Node]:
    """The node with its database started, and tokens for everyone."""
    spec = load_node(folder / "node")
    with started_node(spec, node_paths(spec, folder / "node")) as started:
        yield started


@pytest.fixture(scope="module")
def named(where: str, node: Node) -> Iterator[str]:
    """What --node names it by."""
    if where == "folder":
        yield str(node.paths.folder)
        return
    with served_api(node) as url:
        yield url


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Say = Callable[..., Answer]


@pytest.fixture
def say(node: Node, named: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Types a command as one of the people."""
    tokens: dict[str, str] = {}
    for name in ("ana", "chris", "cara", "ida"):
        if name not in {user.name for user in node.users.list_users()}:
            node.users.add_user(LOCAL_OPERATOR, name)
        tokens[name] = node.users.issue_token(LOCAL_OPERATOR, name).secret

    def type_(who: str, *command: str) -> Answer:
        monkeypatch.setenv("PHEMS_TOKEN", tokens[who])
        code = run(["--node", named, *command])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return type_


def test_from_a_commit_to_a_downloaded_package_on_the_command_line(
    say: Say, node: Node, tmp_path: Path
) -> None:
    """The story of the demo, command by command: otherwise people cannot do their work."""
    submitted = say("ana", "--json", "code", "submit", "-p", "heart").json
    commit = submitted["commit"][:12]
    assert submitted["state"] == "SUBMITTED"
    own = say("ana", "code", "approve", "-p", "heart", commit)
    assert (own.code, own.err.splitlines()[0]) == (4, "Error: ana may not do code.approve in heart.")
    assert "APPROVED" in say("ida", "code", "approve", "-p", "heart", commit).out
    assert commit in say("chris", "code", "list", "-p", "heart").out
    shown = say("ana", "--json", "code", "show", "-p", "heart", commit).json
    assert [approval["approver"] for approval in shown["approvals"]] == ["ida"]

    place = node.paths.artifacts("heart") / "outputs/run-1"
    place.mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (place / name).write_text("n\n500\n")
        node.outputs.register_output("heart", "run-1", "step", f"outputs/run-1/{name}")
    why = ("--context", "Counts", "--controls", "Rounded")
    requested = say("ana", "--json", "release", "request", "-p", "heart", "--run", "run-1", *why).json
    name = requested["id"]
    assert {file["name"] for file in requested["files"]} == {"a.csv", "b.csv"}

    voted = say("chris", "--json", "release", "vote", name, "--approve", "a.csv", "--changes", "b.csv").json
    assert voted["state"] == "PARTIALLY_REVIEWED"
    blind = say("cara", "--json", "release", "show", name).json
    assert [file["votes"] for file in blind["files"]] == [{}, {}]
    assert "chris" not in json.dumps(blind)
    copied = say("cara", "release", "show", name, "--file", "a.csv", "--out", str(tmp_path / "a.csv"))
    assert copied.code == 0
    assert (tmp_path / "a.csv").read_text() == "n\n500\n"
    assert say("cara", "release", "comment", name, "Why two tables?", "--private").code == 0
    say("chris", "release", "vote", name, "--approve", "all")
    assert "APPROVED" in say("cara", "release", "vote", name, "--approve", "all").out

    node.publisher.publish_approved()
    assert say("ana", "release", "download", name, "--out", str(tmp_path)).code == 0
    assert (tmp_path / name / "files/a.csv").read_text() == "n\n500\n"
    listed = say("ana", "release", "list", "-p", "heart").out
    assert name in listed
    assert "RELEASED" in listed
    assert "phase" in say("ana", "release", "show", name).out
    assert say("ida", "release", "revoke", name, "--reason", "Wrong").code == 0
    assert say("ida", "code", "revoke", "-p", "heart", commit, "--reason", "Wrong").code == 0


def test_groups_turns_and_history_on_the_command_line(say: Say, node: Node, tmp_path: Path) -> None:
    """Otherwise groups, turns and the history of a request are there, and nobody can type them."""
    place = node.paths.artifacts("heart") / "outputs/run-7"
    place.mkdir(parents=True)
    for name in ("a.csv", "b.csv", "c.csv"):
        (place / name).write_text("n\n500\n")
        node.outputs.register_output("heart", "run-7", "step", f"outputs/run-7/{name}")
    groups = ("--group", "one", "--context", "A", "--controls", "None", "--group", "two", "--context", "B")
    groups = (*groups, "--controls", "Rounded", "--file", "one:a.csv", "--file", "two:b.csv")
    asked = say("ana", "release", "request", "-p", "heart", "--run", "run-7", *groups)
    assert "checking 2 files" in asked.err or "checks the files" in asked.err
    name = next(word.rstrip(",") for word in asked.out.split() if word.startswith("rr-"))
    shown = say("chris", "release", "show", name).out
    for told in ("File group one", "File group two", "controls: Rounded", "output"):
        assert told in shown
    assert say("ana", "release", "withdraw", name, "--file", "b.csv").code == 0
    assert say("chris", "release", "comment", name, "Why two?", "--group", "two").code == 0
    assert say("chris", "release", "vote", name, "--changes", "a.csv").code == 0
    hidden = say("cara", "release", "list", "-p", "heart", "--state", "submitted").out
    assert name in hidden
    assert name not in say("cara", "release", "list", "-p", "heart", "--state", "partially_reviewed").out
    assert say("cara", "release", "return", name, "--reason", "One table").code == 0

    plan = tmp_path / "release.yaml"
    plan.write_text(
        "run: run-7\ngroups:\n"
        "  - {name: all, context: Counts, controls: Rounded, files: [a.csv, c.csv], supporting: [b.csv]}\n"
    )
    again = say("ana", "--json", "release", "request", "--again", name, "--from", str(plan)).json
    assert (again["turn"], again["state"], again["groups"][0]["name"]) == (2, "SUBMITTED", "all")
    assert sorted(file["kind"] for file in again["files"]) == ["output", "output", "supporting"]
    assert again["files"][0]["findings"]
    then = say("chris", "--json", "release", "show", name, "--turn", "1").json
    assert (then["turn"], then["state"], then["reason"]) == (1, "RETURNED", "One table")
    assert sorted(file["kind"] for file in then["files"]) == ["output", "withdrawn"]
    history = say("ana", "release", "history", name).out
    for told in ("requested", "withdrew a file", "returned", "One table"):
        assert told in history
    assert "voted" not in history, "chris was blind when cara returned it"
    assert say("ana", "release", "withdraw", name).code == 0


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("code", "show", "-p", "heart", "0000000"), 3, "phems code list"),
        (("code", "list", "-p", "other"), 3, "phems project list"),
        (("code", "submit", "-p", "heart", "nonsense"), 2, "git -C"),
        (("release", "show", "rr-aaaaaaaa"), 3, "phems release list"),
        (("release", "show", "rr-aaaaaaaa", "--file", "x"), 2, "--out FILE"),
        (("release", "request", "--context", "a", "--controls", "b"), 2, "--project or --again"),
        (("release", "request", "-p", "heart", "--run", "run-1", "--context", "a"), 2, "one --controls"),
        (("release", "request", "-p", "heart", "--from", "no.yaml"), 2, "no.yaml cannot be read"),
        (("release", "request", "-p", "heart", "--from", "no.yaml", "--file", "a"), 2, "stands alone"),
        (("release", "list", "-p", "heart", "--state", "DONE"), 2, "the states are"),
        (("release", "submit", "rr-aaaaaaaa"), 3, "phems release list"),
        (("release", "history", "rr-aaaaaaaa"), 3, "phems release list"),
        (
            ("release", "request", "-p", "heart", "--run", "run-9", "--context", "a", "--controls", "b"),
            3,
            "run-9",
        ),
    ],
)
def test_mistakes_are_answered_with_a_remedy_and_an_exit_code(
    say: Say, command: tuple[str, ...], code: int, told: str
) -> None:
    """Otherwise a script cannot tell failures apart, and a person does not know what to type."""
    answer = say("ana", *command)
    assert answer.code == code
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert os.linesep + "Remedy: " in answer.err


def test_an_author_has_the_checks_run_for_herself(say: Say, node: Node) -> None:
    """Otherwise mistakes are found by the people who review, one turn after another."""
    place = node.paths.artifacts("heart") / "outputs/run-9"
    place.mkdir(parents=True)
    (place / "good.csv").write_text("ward,patients\nsurgery,120\n")
    (place / "bad.csv").write_text("patient_id\n7\n")
    declared = {"kind": "frequency", "dimensions": ["ward"], "count": "patients"}
    node.outputs.register_output("heart", "run-9", "step", "outputs/run-9/good.csv", declared)
    node.outputs.register_output("heart", "run-9", "step", "outputs/run-9/bad.csv")
    asked = ("release", "check", "-p", "heart", "--run", "run-9")
    good = say("ana", "--json", *asked, "--file", "good.csv")
    assert good.code == 0
    # The project has asked for undeclared tables before: to compare with those is for people.
    verdicts = {finding["check"]: finding["verdict"] for finding in good.json["findings"]}
    assert verdicts.pop("differencing") in {"pass", "review"}
    assert set(verdicts.values()) == {"pass"}
    assert {finding["path"] for finding in good.json["findings"]} == {"outputs/run-9/good.csv"}
    assert good.json["tools"]["policy"]
    both = say("ana", *asked)
    assert both.code == 4
    assert "columns are named as direct identifiers" in both.out
    assert "Mend what failed" in both.out
    assert say("chris", *asked).code == 4
    assert say("ana", "release", "check", "-p", "heart").code == 2
