"""A node is backed up while it runs, and restored: all that was decided is there, or nothing is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.folders import open_folder
from tests.made_databases import give_database
from tests.typed_lines import Phems, typed

from phems.bootstrap import open_node
from phems.cli.__main__ import main
from phems.nodespec import load_node, node_paths
from phems.serve import ServingNode

SPEC = """
version: 1
node: {name: test-node}
controller: {name: A hospital}
roles: {operator: [olga]}
audit: {anchors: {share: {folder: {path: ../share}, minutes: 10080, every_seconds: 86400}}}
"""
# Handed over when a test says so: two nodes of one log would contradict each other there.
PHEMS = Path(sys.executable).with_name("phems")
MADE = {"artifacts/demo/io/value": b"a value", "code/demo/0123/definitions.py": b"defs = 1\n"}


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder with a node, whose database runs, and an outside anchor."""
    with open_folder() as folder:
        (folder / "share").mkdir()
        (folder / "node").mkdir()
        (folder / "node" / "node.yaml").write_text(SPEC)
        (folder / "node" / "README").write_text("Kept.")
        (folder / "words").write_text("several words of a sentence\n")
        give_database(ServingNode(folder / "node"))
        for path, content in MADE.items():
            file = folder / "node" / "data" / path
            file.parent.mkdir(parents=True)
            file.write_bytes(content)
        with open_node(folder / "node"):  # made, and closed
            pass
        with open_node(folder / "node"):
            yield folder


@pytest.fixture
def phems(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Phems:
    """Runs one command line."""
    monkeypatch.delenv("PHEMS_TOKEN", raising=False)

    return partial(typed, capsys)


@pytest.fixture(scope="module")
def backup(place: Path) -> Path:
    """A backup of the running node, its keys sealed."""
    folder = place / "backup"
    assert main(["--node", str(place / "node"), "user", "add", "ada"]) == 0
    assert main(["--node", str(place / "node"), "audit", "anchor"]) == 0
    command = ["--node", str(place / "node"), "backup", str(folder)]
    assert main([*command, "--passphrase-file", str(place / "words")]) == 0
    return folder


def killed_at(line: str, *words: str | Path) -> None:
    """Run a command and kill it, with all it has not done yet, as soon as it says this line."""
    command = [PHEMS, *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        said = []
        for told in running.stdout:
            said.append(told)
            if told.startswith(line):
                os.kill(running.pid, signal.SIGKILL)
                break
        else:
            raise AssertionError("".join(said))


def test_a_restored_node_has_everything_and_its_log_verifies(place: Path, backup: Path, phems: Phems) -> None:
    """The whole purpose: or a hospital finds out after the fire."""
    assert phems("--node", place / "node", "user", "add", "later").code == 0
    said = phems("restore", backup, place / "restored")
    assert said.code == 2
    assert "encrypted" in said.err
    words = ("--passphrase-file", place / "words")
    assert phems("restore", backup, place / "restored", *words).code == 0
    node = ("--node", place / "restored")
    verified = phems(*node, "audit", "verify")
    assert (verified.code, "is intact" in verified.out, verified.err) == (0, True, "")
    actions = [entry["action"] for entry in json.loads(phems(*node, "--json", "audit", "tail").out)]
    assert actions[-3:] == ["user.add", "node.restore", "audit.verify"]
    assert [row["name"] for row in json.loads(phems(*node, "--json", "user", "list").out)] == ["ada"]
    for path, content in MADE.items():
        assert (place / "restored" / "data" / path).read_bytes() == content
    assert (place / "restored" / "README").read_text() == "Kept."
    kept = place / "node" / "data" / "keys" / "audit.pem"
    restored = place / "restored" / "data" / "keys" / "audit.pem"
    assert (restored.read_bytes(), restored.stat().st_mode) == (kept.read_bytes(), kept.stat().st_mode)
    assert not (place / "restored" / "data" / "restoring").exists()
    again = phems("restore", backup, place / "restored", *words)
    assert again.code == 2
    assert "There is a node" in again.err


def test_a_backup_is_on_record_with_the_digest_of_its_manifest(
    place: Path, backup: Path, phems: Phems
) -> None:
    """A backup that was forged later is told from the one that the node made."""
    entries = json.loads(phems("--node", place / "node", "--json", "audit", "tail", "-n", "50").out)
    (made,) = [entry["details"] for entry in entries if entry["action"] == "node.backup"]
    done = subprocess.run(["sha256sum", backup / "manifest.json"], check=True, capture_output=True, text=True)
    assert (made["manifest"], made["keys"]) == (done.stdout.split()[0], "sealed")
    assert "audit.pem" not in {path.name for path in backup.rglob("*")}


@pytest.mark.parametrize("strange", ["changed", "removed", "added"])
def test_a_backup_that_was_changed_is_not_restored(
    place: Path, backup: Path, phems: Phems, strange: str
) -> None:
    copy = place / strange
    shutil.copytree(backup, copy)
    file = copy / "data" / "artifacts" / "demo" / "io" / "value"
    if strange == "changed":
        file.write_bytes(b"A value")
    elif strange == "removed":
        file.unlink()
    else:
        file.with_name("other").touch()
    said = phems("restore", copy, place / "nowhere")
    assert (said.code, "not what was backed up" in said.err) == (6, True)
    assert not (place / "nowhere").exists()
    (copy / "manifest.json").unlink()
    assert phems("restore", copy, place / "nowhere").code == 2


def told_offline(phems: Phems, place: Path, checkpoint: Path) -> None:
    """Who has an export and a checkpoint, and no node, is told that it was taken back, and by whom."""
    exported, key = place / "taken-back.jsonl", place / "behind" / "data" / "keys" / "audit.pub.pem"
    assert phems("--node", place / "behind", "audit", "export", "--out", exported).code == 0
    held = ("audit", "verify", exported, "--key", key, "--anchor", checkpoint)
    said = phems(*held)
    assert said.code == 7, said.err
    for told in ("was taken back, and says so itself", "anchor share", "the disk burnt (local-operator, "):
        assert told in said.err
    # A restore on record excuses no other change.
    lines = exported.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("local-operator", "local-0perator")
    exported.write_text("".join(lines))
    assert phems(*held).code == 6


def test_a_backup_behind_an_outside_anchor_needs_a_reason_which_the_log_keeps(
    place: Path, backup: Path, phems: Phems
) -> None:
    """Otherwise an old backup is a way to take decisions back without a trace."""
    share = place / "share"
    kept = place / "share.kept"
    shutil.copytree(share, kept)
    try:
        assert phems("--node", place / "node", "user", "add", "taken-back").code == 0
        assert phems("--node", place / "node", "audit", "anchor").code == 0
        held = shutil.copy(max(share.iterdir(), key=lambda path: int(path.stem)), place / "held.checkpoint")
        words = ("--passphrase-file", place / "words")
        refused = phems("restore", backup, place / "behind", *words)
        assert (refused.code, "share has a checkpoint of" in refused.err) == (6, True)
        assert not (place / "behind" / "node.yaml").exists()
        assert not list((place / "behind").glob(".data*"))
        share.rename(place / "away")
        unasked = phems("restore", backup, place / "behind", *words)
        assert (unasked.code, "does not take checkpoints" in unasked.err) == (6, True)
        (place / "away").rename(share)
        reason = ("--behind-anchor", "the disk burnt")
        assert phems("restore", backup, place / "behind", *words, *reason).code == 0
        node = ("--node", place / "behind")
        with open_node(place / "behind") as opened:
            verified = phems(*node, "audit", "verify")
            assert verified.code == 0
            assert "restored behind the outside anchor share" in verified.err
            assert "the disk burnt (local-operator, " in verified.err
            assert opened.audit_watch.look().problem == ""
            told_offline(phems, place, held)
            while opened.audit.sizes()[0] <= max(int(path.stem) for path in share.iterdir()):
                assert phems(*node, "user", "token", "ada").code == 0
            assert phems(*node, "audit", "anchor").code == 0
            assert phems(*node, "audit", "verify").code == 0
            told_offline(phems, place, held)  # the log is longer now, and another
    finally:
        shutil.rmtree(share)
        kept.rename(share)


@pytest.mark.parametrize("line", ["Dumping", "Writing the manifest"])
def test_a_backup_that_is_killed_is_none_and_the_next_one_is_whole(
    place: Path, phems: Phems, line: str
) -> None:
    """Half a backup that looks whole is worse than none."""
    target = place / f"killed-{line.split(maxsplit=1)[0]}"
    killed_at(line, "--node", place / "node", "backup", target)
    assert not target.exists()
    assert phems("--node", place / "node", "backup", target).code == 0
    assert (target / "manifest.json").exists()
    assert not list(place.glob(".killed*"))


def test_a_restore_that_is_killed_leaves_no_node_or_a_whole_one(
    place: Path, backup: Path, phems: Phems
) -> None:
    """Half a node would start, and run on half its database."""
    folder = place / "killed"
    command = ("restore", backup, folder, "--passphrase-file", place / "words")
    for line in ("Loading the database", "Comparing", "Putting everything"):
        killed_at(line, *command)
        if (folder / "node.yaml").exists():
            break
    else:
        assert phems(*command).code == 0
    paths = node_paths(load_node(folder), folder)
    assert [path.name for path in folder.glob(".*")] == []
    assert phems("--node", folder, "audit", "verify").code == 0
    assert paths.data_dir.is_dir()
