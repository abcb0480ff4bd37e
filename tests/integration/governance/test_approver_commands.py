"""`phems user key` and what approvers type, on a node of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.folders import open_folder
from tests.integration.governance.governed_site import CodeRepo

from phems.adapters.signing import SigningKey
from phems.bootstrap import Node, started_node
from phems.cli.app import run
from phems.domain.actors import LOCAL_OPERATOR
from phems.nodespec import load_node, node_paths

NODE_YAML = """\
version: 1
node: {name: node-a}
controller: {name: Hospital A}
roles: {operator: [olga]}
projects:
  heart:
    code: {repo: ../code}
    members:
      data_analyst: [ana]
      output_checker: [chris, cara]
      information_asset_owner: [ida, ivo]
"""
PEOPLE = ("ana", "ida", "ivo", "olga")
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A Node Repo and a Code Repo in a folder whose path is short enough for sockets."""
    with open_folder() as place:
        (place / "node").mkdir()
        (place / "node/node.yaml").write_text(NODE_YAML)
        (place / "code").mkdir()
        repo = CodeRepo(place / "code")
        repo.git("init", "-q", "-b", "main")
        repo.commit({"src/heart/definitions.py": "defs = 1\n", "requirements.txt": "numpy==2.0\n"}, "Begin")
        yield place


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Node]:
    """The node with its database started, and its people."""
    spec = load_node(folder / "node")
    with started_node(spec, node_paths(spec, folder / "node")) as started:
        for name in PEOPLE:
            started.users.add_user(LOCAL_OPERATOR, name)
        yield started


@pytest.fixture
def repo(folder: Path) -> CodeRepo:
    """The project's Code Repo."""
    return CodeRepo(folder / "code")


@pytest.fixture
def say(node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Types a command as one of the people; gives the exit code and what was printed."""

    def type_(who: str, *command: str) -> tuple[int, str, str]:
        monkeypatch.setenv("PHEMS_TOKEN", node.users.issue_token(LOCAL_OPERATOR, who).secret)
        code = run(["--node", str(node.paths.folder), *command])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return type_


def submitted(say: Say) -> str:
    """The tip of the branch, submitted; its short name."""
    code, out, err = say("ana", "--json", "code", "submit", "-p", "heart")
    assert code == 0, err
    return str(json.loads(out)["commit"][:12])


def test_an_approver_sees_what_changed_and_nothing_of_it_moves_the_cursor(say: Say, repo: CodeRepo) -> None:
    """Otherwise a line of project code hides another from the person who approves both."""
    first = submitted(say)
    code, out, _ = say("ida", "code", "show", "-p", "heart", first)
    assert (code, "all of it is new" in out, "None yet." in out) == (0, True, True)
    assert say("ida", "code", "approve", "-p", "heart", first)[0] == 0
    hidden = "evil()  # \u202e\x1b[2K\rharmless\n"
    repo.commit({"src/heart/definitions.py": hidden, "requirements.txt": "numpy==1.9\n"})
    second = submitted(say)

    code, out, _ = say("ida", "code", "diff", "-p", "heart", second, "--patch")
    assert code == 0
    assert f"Changes since {first} (APPROVED)" in out
    assert "downgraded" in out
    assert r"+evil()  # \u202e\x1b[2K\rharmless" in out
    assert "\x1b" not in out
    assert "\u202e" not in out
    one = say("ida", "code", "diff", "-p", "heart", second, "--file", "requirements.txt")[1]
    assert "+numpy==1.9" in one
    assert "evil" not in one
    told = json.loads(say("ida", "--json", "code", "diff", "-p", "heart", second)[1])
    assert [(each["name"], each["kind"]) for each in told["dependencies"]] == [("numpy", "downgraded")]
    shown = json.loads(say("ida", "--json", "code", "show", "-p", "heart", first)[1])
    assert [each["counts"] for each in shown["present_approvals"]] == ["yes"]
    assert shown["changes"]["base"] is None


def test_a_code_revision_is_shown_without_its_code_repo(say: Say, repo: CodeRepo) -> None:
    """Otherwise a moved repository hides what was decided."""
    commit = submitted_again(say, repo)
    away = repo.folder.with_name("away")
    repo.folder.rename(away)
    try:
        code, out, err = say("ida", "code", "show", "-p", "heart", commit)
    finally:
        away.rename(repo.folder)
    assert code == 0
    assert "SUBMITTED" in out
    assert "what it changes cannot be shown" in err


def submitted_again(say: Say, repo: CodeRepo) -> str:
    """A new commit, submitted."""
    repo.commit({}, "Again")
    return submitted(say)


def test_an_approval_with_a_key_of_ones_own(say: Say, repo: CodeRepo, tmp_path: Path) -> None:
    """Otherwise nobody outside the node can ever prove that they approved, or that they did not."""
    laptop = SigningKey(Ed25519PrivateKey.generate())
    (tmp_path / "ivo.pub.pem").write_bytes(laptop.public_pem())
    code, out, _ = say("ivo", "user", "key", "ivo", "--register", str(tmp_path / "ivo.pub.pem"))
    assert (code, "ivo keeps its private half" in out) == (0, True)
    assert say("ivo", "user", "key", "ivo", "--register", str(tmp_path / "ivo.pub.pem"))[0] == 4
    assert say("ivo", "user", "key", "ivo", "--export-public")[1].encode() == laptop.public_pem()

    commit = submitted_again(say, repo)
    statement, signature = tmp_path / "statement.json", tmp_path / "statement.sig"
    code, _, err = say("ivo", "code", "approve", "-p", "heart", commit)
    assert (code, "A signature of ivo is missing" in err) == (4, True)
    printed = say("ivo", "code", "statement", "-p", "heart", commit)[1]
    assert json.loads(printed)["by"] == "ivo"
    assert say("ivo", "code", "statement", "-p", "heart", commit, "--out", str(statement))[0] == 0
    signature.write_text(laptop.sign(statement.read_bytes()) + "\n")
    approve = ("code", "approve", "-p", "heart", commit, "--statement", str(statement))
    code, _, err = say("ivo", *approve)
    assert (code, "A statement comes with its signature" in err) == (2, True)
    code, out, err = say("ivo", *approve, "--signature", str(signature))
    assert (code, "is APPROVED" in out) == (0, True), err


def test_keys_are_an_operators_to_change_and_nobody_elses_to_see(say: Say, repo: CodeRepo) -> None:
    """Attack 18: otherwise whoever has stolen a token makes themselves a key."""
    for command in (("--new",), ("--revoke", "--reason", "x"), ("--show",), ("--export-public",)):
        code, _, err = say("ana", "user", "key", "ida", *command)
        assert (code, "may not do user.manage" in err) == (4, True)
    assert say("olga", "user", "key", "ida", "--new", "--show")[0] == 2
    assert say("olga", "user", "key", "nobody", "--new")[0] == 3
    code, out, _ = say("olga", "--json", "user", "key", "ida", "--new")
    made = json.loads(out)
    assert (code, made["held_by"], made["state"]) == (0, "node", "CURRENT")
    code, out, _ = say("olga", "user", "key", "ida", "--revoke", "--reason", "Lost")
    assert (code, f"Revoked the key {made['key_id']}" in out) == (0, True)
    commit = submitted_again(say, repo)
    code, _, err = say("ida", "code", "approve", "-p", "heart", commit)
    assert (code, "phems user key ida --new" in err) == (4, True)
    states = {
        key["key_id"]: key["state"] for key in json.loads(say("ida", "--json", "user", "key", "ida")[1])
    }
    assert states[made["key_id"]] == "REVOKED"


def test_revoking_can_ask_for_the_end_of_runs(say: Say, repo: CodeRepo, node: Node) -> None:
    """Otherwise bad code works on while people look for the button."""
    assert say("olga", "user", "key", "ida", "--new")[0] == 0
    commit = submitted_again(say, repo)
    assert say("ida", "code", "approve", "-p", "heart", commit)[0] == 0
    code, out, _ = say("ida", "code", "revoke", "-p", "heart", commit, "--reason", "Bad", "--stop-runs")
    assert (code, "is REVOKED" in out) == (0, True)
    with node.governance.transaction() as work:
        (found,) = work.code_revisions.find("heart", commit)
    assert found.stop_runs
