"""`phems user` and `phems audit`, as typed: the first users, and a log that anyone can verify."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders import open_folder
from tests.typed_lines import Phems, Said, typed

SPEC = """
version: 1
node: {name: test-node}
controller: {name: A hospital}
roles: {operator: [olga], auditor: [aud]}
projects:
  heart-attack:
    code: {repo: "https://example.org/code.git"}
    members: {data_analyst: [ada], output_checker: [cora, ben], information_asset_owner: [ina]}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A node, for all the tests of this module."""
    with open_folder() as made:
        (made / "node.yaml").write_text(SPEC)
        yield made


@pytest.fixture
def phems(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Phems:
    """Runs one command line on the node."""
    monkeypatch.delenv("PHEMS_TOKEN", raising=False)
    monkeypatch.setenv("PHEMS_NODE", str(folder))

    def run(*words: str, stdin: str = "", token: str | None = None) -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        if token is not None:
            monkeypatch.setenv("PHEMS_TOKEN", token)
        said = typed(capsys, *words)
        monkeypatch.delenv("PHEMS_TOKEN", raising=False)
        return said

    return run


def test_the_first_users_are_added_by_whoever_holds_the_keys_and_then_hold_tokens(phems: Phems) -> None:
    assert phems("user", "list").out.startswith("No users yet")
    added = phems("user", "add", "ada", "--password-stdin", stdin="correct horse battery\n")
    assert (added.code, added.out) == (0, "Added the user ada.\n")
    assert "no role yet" in phems("user", "add", "stranger").out
    for name in ("olga", "aud"):
        assert phems("user", "add", name).code == 0
    rows = {row["name"]: row for row in json.loads(phems("--json", "user", "list").out)}
    assert rows["ada"]["has_password"] is True
    assert rows["ada"]["roles"] == ["data_analyst@heart-attack"]
    assert rows["aud"]["roles"] == ["auditor"]
    assert "password_hash" not in str(rows)
    # The token stands alone on standard output: export PHEMS_TOKEN=$(phems user token olga)
    token = phems("user", "token", "olga").out.strip()
    assert phems("user", "add", "ben", token=token).code == 0
    assert {row["created_by"] for row in json.loads(phems("--json", "user", "list").out)} == {
        "local-operator",
        "olga",
    }


def test_a_token_without_the_role_manages_no_users_and_reads_no_audit_log(phems: Phems) -> None:
    token = phems("user", "token", "ada").out.strip()
    for words in (("user", "add", "eve"), ("user", "list"), ("user", "token", "olga"), ("audit", "tail")):
        refused = phems(*words, token=token)
        assert refused.code == 4
        assert "ada may not do" in refused.err
    assert phems("audit", "tail", token=phems("user", "token", "aud").out.strip()).code == 0
    assert phems("audit", "tail", token="phems_made-up").code == 4


def test_a_password_is_read_from_standard_input_alone(phems: Phems) -> None:
    assert "standard input" in phems("user", "password", "ada").err
    assert phems("user", "password", "ada", "--password-stdin", stdin="short\n").code == 2
    assert phems("user", "password", "ada", "--password-stdin", stdin="another horse battery\n").code == 0
    assert phems("user", "token", "nobody").code == 3
    assert phems("user", "add", "ada").code == 2


def test_the_log_is_read_exported_and_verified_without_the_node(
    phems: Phems, tmp_path: Path, folder: Path
) -> None:
    assert phems("audit", "verify").code == 0
    file = tmp_path / "audit.jsonl"
    assert phems("audit", "export", "--out", str(file)).code == 0
    last = json.loads(phems("--json", "audit", "tail", "-n", "1").out)
    assert [entry["action"] for entry in last] == ["audit.export"]
    by_its_own_word = phems("audit", "verify", str(file), "--node", "/nowhere")
    assert by_its_own_word.code == 0
    assert "is intact" in by_its_own_word.out
    assert "--key" in by_its_own_word.out
    key = folder / "data" / "keys" / "audit.pub.pem"
    assert phems("audit", "verify", str(file), "--key", str(key)).code == 0
    entries = [json.loads(line) for line in file.read_bytes().splitlines()[1:-1]]
    changed = next(entry["seq"] for entry in entries if entry["subject"] == "ada")
    file.write_bytes(file.read_bytes().replace(b'"subject":"ada"', b'"subject":"eve"', 1))
    tampered = phems("audit", "verify", str(file))
    assert tampered.code == 6
    assert f"entry {changed} was changed" in tampered.err
    as_json = json.loads(phems("--json", "audit", "verify", str(file)).err)
    assert as_json["error"]["kind"] == "integrity"


def test_an_entry_and_the_log_s_going_on_are_proved_by_files_alone(
    phems: Phems, tmp_path: Path, folder: Path
) -> None:
    kept, proof, onward = tmp_path / "kept.checkpoint", tmp_path / "entry.tlog-proof", tmp_path / "onward"
    key = str(folder / "data" / "keys" / "audit.pub.pem")
    assert phems("audit", "checkpoint", "--out", str(kept)).code == 0
    size = json.loads(phems("--json", "audit", "checkpoint").out)["size"]
    assert phems("audit", "prove", "1", "--out", str(proof)).code == 0
    assert phems("audit", "consistency", "--from", str(size - 1), "--out", str(onward)).code == 0
    nowhere = ("--node", "/nowhere")
    shown = phems("audit", "verify", str(proof), "--key", key, *nowhere)
    assert "Entry 1 is in the audit log test-node/audit" in shown.out
    shown = phems("audit", "verify", str(onward), "--key", key, "--anchor", str(kept), *nowhere)
    assert "nothing before was changed or taken out" in shown.out
    proof.write_text(proof.read_text().replace("index 0", "index 1"))
    assert phems("audit", "verify", str(proof), "--key", key, *nowhere).code == 6
    # What cannot be checked is said so, and is no finding.
    assert phems("audit", "verify", str(proof), *nowhere).code == 2
    assert phems("audit", "verify", str(onward), "--key", key, *nowhere).code == 2
    assert phems("audit", "verify", "--key", key).code == 2
    assert phems("audit", "verify", str(proof), "--key", key, "--anchor", str(proof), *nowhere).code == 2
    assert phems("audit", "prove", "1000000").code == 3


def test_an_older_export_fails_against_the_checkpoint_that_somebody_kept(
    phems: Phems, tmp_path: Path, folder: Path
) -> None:
    older, kept, line = tmp_path / "older.jsonl", tmp_path / "kept", tmp_path / "key"
    assert phems("audit", "export", "--out", str(older)).code == 0
    assert phems("audit", "checkpoint", "--out", str(kept)).code == 0
    assert phems("audit", "checkpoint", "--key", "--out", str(line)).code == 0
    assert phems("audit", "verify", str(older), "--key", str(line)).code == 0
    behind = phems("audit", "verify", str(older), "--key", str(line), "--anchor", str(kept))
    assert behind.code == 6
    assert "taken back" in behind.err
    line.write_text(line.read_text().replace("test-node/audit", "other/audit"))
    assert phems("audit", "verify", str(older), "--key", str(line)).code == 2


def test_a_node_is_anchored_in_a_folder_and_says_when_that_fails(
    phems: Phems, folder: Path, tmp_path: Path
) -> None:
    assert phems("audit", "anchors").out.startswith("No outside anchors")
    assert phems("audit", "anchor").code == 2
    share = tmp_path / "share"
    (folder / "node.yaml").write_text(
        SPEC + f"audit: {{anchors: {{share: {{folder: {{path: {share}}}}}}}}}\n"
    )
    try:
        failed = phems("audit", "anchor")
        assert failed.code == 5
        assert "1 of 1 anchors" in failed.err
        share.mkdir()
        assert phems("audit", "anchor").code == 0
        (state,) = json.loads(phems("--json", "audit", "anchors").out)
        assert (state["name"], state["kind"], state["on_failure"]) == ("share", "folder", "report")
        assert len(list(share.iterdir())) == 1
        assert phems("audit", "verify").code == 0
    finally:
        (folder / "node.yaml").write_text(SPEC)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("audit", "verify", "/nowhere/audit.jsonl"), 2),
        (("audit", "verify", "/etc/hostname"), 2),
        (("audit", "verify", "/etc"), 2),
        (("audit", "export", "--out", "/proc/audit.jsonl"), 5),
        (("audit", "export", "--out", "/"), 5),
        (("audit", "tail", "-n", "0"), 2),
    ],
)
def test_bad_input_is_told_without_a_traceback(phems: Phems, words: tuple[str, ...], code: int) -> None:
    said = phems(*words)
    assert said.code == code
    assert said.err.startswith(("Error:", "Usage:"))
    assert "Traceback" not in said.err


def test_whoever_cannot_read_the_keys_is_told_whose_they_are(phems: Phems, folder: Path) -> None:
    passwords = folder / "data" / "keys" / "database.json"
    kept = passwords.read_bytes()
    passwords.write_bytes(b"")
    try:
        said = phems("user", "list")
    finally:
        passwords.write_bytes(kept)
    assert said.code == 5
    assert "database.json" in said.err
