"""The audit log against who holds the database: what they do is found, named, and stops the node."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from phems.adapters.signing import load_or_create_key, signature_matches
from phems.domain.actors import Actor
from phems.domain.checkpoints import parse_checkpoint, sign_checkpoint
from phems.domain.merkle import EMPTY_TREE, leaf_hash
from phems.domain.signed_notes import VerifierKey
from phems.errors import InputError, IntegrityError, UnavailableError
from phems.services.audit_export import Verification, checkpoints_line, parse_entry, verify_lines
from phems.services.checkpoints import verifier_key

from .conftest import AuditedNode

ADA = Actor("ada")


def act(node: AuditedNode, count: int = 1) -> None:
    for _ in range(count):
        with node.governance.transaction() as tx:
            tx.audit.append(ADA, "code.submit", "revision", details={"n": 1})


def change_something(node: AuditedNode, then: Exception | None = None) -> None:
    """An act that changes a row and appends an entry; `then` is raised after both."""
    with node.governance.transaction() as tx:
        tx.users.record_failure("ada", datetime.now(UTC))
        tx.audit.append(ADA, "code.approve", "revision")
        if then is not None:
            raise then


def size_of(node: AuditedNode) -> int:
    """How many entries the node's checkpoint has signed."""
    return parse_checkpoint(node.checkpoint.read_text()).size


def with_key(header: bytes, key: str) -> bytes:
    """The header of an exported log, of another log or another key."""
    found = json.loads(header)
    if "+" not in key:
        old = VerifierKey.parse(found["key"])
        key = str(VerifierKey(key, old.public_key))
    return json.dumps({**found, "origin": key.partition("+")[0], "key": key}).encode() + b"\n"


def tamper(node: AuditedNode, *statements: str) -> None:
    """As someone with the superuser's password would."""
    with node.database.engine("admin").begin() as connection:
        connection.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER ALL"))
        for statement in statements:
            connection.execute(text(statement))


def found(verification: Verification) -> tuple[str, int] | None:
    finding = verification.finding
    return None if finding is None else (finding.kind, finding.seq)


def verify_file(lines: Iterable[bytes], **options: str) -> Verification:
    kept = list(lines)
    return verify_lines(lambda: kept, check=signature_matches, **options)


TAMPERINGS = {
    "changed": ("UPDATE audit.entry SET actor = 'eve' WHERE seq = 3",),
    "changed in its details": ("UPDATE audit.entry SET details = '{}' WHERE seq = 3",),
    "changed in its canonical text": (
        "UPDATE audit.entry SET canonical = replace(canonical, 'ada', 'eve') WHERE seq = 3",
    ),
    "removed": ("DELETE FROM audit.entry WHERE seq = 3",),
    "removed, and the rest renumbered": (
        "DELETE FROM audit.entry WHERE seq = 3",
        "UPDATE audit.entry SET seq = seq - 1 WHERE seq > 3",
    ),
    "reordered": (
        "UPDATE audit.entry SET seq = 1000 WHERE seq = 3",
        "UPDATE audit.entry SET seq = 3 WHERE seq = 4",
        "UPDATE audit.entry SET seq = 4 WHERE seq = 1000",
    ),
    "truncated": ("DELETE FROM audit.entry WHERE seq >= 3",),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_what_was_done_to_the_table_is_found_in_the_database_and_in_its_export(
    node: AuditedNode, how: str
) -> None:
    act(node, 6)
    assert found(node.log.verify(ADA)) is None
    tamper(node, *TAMPERINGS[how])
    # Numbers are the table's order: entries that were renumbered show as changed.
    kind = how if how in {"truncated", "removed"} else "changed"
    assert found(node.log.verify(ADA)) == (kind, 3)
    assert found(verify_file(node.log.export(ADA))) == (kind, 3)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit.entry WHERE seq >= 3",
        "TRUNCATE audit.entry",
        "UPDATE audit.entry SET hash = repeat('ab', 32) WHERE seq = 4",
    ],
)
def test_no_act_is_possible_on_a_log_that_contradicts_its_checkpoint(
    node: AuditedNode, statement: str
) -> None:
    """Or the next entry would take the place of the one that was cut off, and hide it."""
    act(node, 4)
    tamper(node, statement)
    with pytest.raises(IntegrityError, match="audit log"):
        change_something(node)
    with node.governance.transaction() as tx:
        assert tx.users.failures("ada") is None
    with pytest.raises(IntegrityError):
        node.log.open()


def test_a_removed_checkpoint_is_noticed(node: AuditedNode) -> None:
    act(node)
    node.checkpoint.unlink()
    with pytest.raises(IntegrityError, match="no checkpoint"):
        act(node)
    assert found(node.log.verify(ADA)) == ("forged", 1)


def test_a_checkpoint_signed_by_another_key_is_noticed(node: AuditedNode, tmp_path: Path) -> None:
    act(node, 2)
    forger = load_or_create_key(tmp_path / "forger", "audit")
    forged = sign_checkpoint(EMPTY_TREE, verifier_key("n/audit", forger.public_key), forger.sign)
    node.checkpoint.write_text(str(forged))
    with pytest.raises(IntegrityError, match="not signed"):
        act(node)
    assert found(node.log.verify(ADA)) == ("forged", 0)


@pytest.mark.parametrize("content", ["", "{", "n/audit\n0\n\n— a b\n", "\x00"])
def test_a_checkpoint_that_is_no_checkpoint_is_noticed(node: AuditedNode, content: str) -> None:
    node.checkpoint.write_text(content)
    with pytest.raises(IntegrityError, match="not a checkpoint"):
        act(node)


def test_a_crash_between_commit_and_checkpoint_stops_nothing(node: AuditedNode) -> None:
    act(node, 2)
    older = node.checkpoint.read_bytes()
    act(node, 2)
    node.checkpoint.write_bytes(older)
    act(node)
    assert size_of(node) == 5
    assert found(node.log.verify(ADA)) is None


def test_when_the_checkpoint_cannot_be_written_the_act_does_not_happen(
    node: AuditedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: fail closed, and go on without a gap when there is room again."""
    act(node)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("phems.adapters.durable_files.os.fsync", full)
        with pytest.raises(UnavailableError, match="No space left"):
            change_something(node)
    with node.governance.transaction() as tx:
        assert tx.users.failures("ada") is None
        assert tx.audit.head().size == 1
    assert sorted(path.name for path in node.checkpoint.parent.iterdir()) == [
        "checkpoint",
        "checkpoint.lock",
    ]
    act(node)
    assert found(node.log.verify(ADA)) is None


def test_an_act_whose_transaction_fails_leaves_no_checkpoint_behind(node: AuditedNode) -> None:
    act(node)
    before = node.checkpoint.read_bytes()
    with pytest.raises(InputError, match="no"):
        change_something(node, InputError("no"))
    with node.governance.transaction() as tx:
        assert tx.users.failures("ada") is None
    assert node.checkpoint.read_bytes() == before


def test_an_export_verifies_without_the_node_and_ends_with_itself(node: AuditedNode) -> None:
    act(node, 3)
    lines = list(node.log.export(ADA))
    assert json.loads(lines[0])["origin"] == "n/audit"
    assert json.loads(lines[-2])["action"] == "audit.export"
    verification = verify_file(lines, trusted=node.key.public_key)
    assert verification.ok
    assert verification.entries == 4


FILE_TAMPERINGS: dict[str, Callable[[list[bytes]], tuple[list[bytes], tuple[str, int]]]] = {
    "a changed line": lambda lines: (
        [*lines[:3], lines[3].replace(b"ada", b"eve"), *lines[4:]],
        ("changed", 3),
    ),
    "a removed line": lambda lines: ([*lines[:3], *lines[4:]], ("removed", 3)),
    "two swapped lines": lambda lines: ([*lines[:3], lines[4], lines[3], *lines[5:]], ("reordered", 3)),
    "a repeated line": lambda lines: ([*lines[:4], *lines[3:]], ("added", 3)),
    "the entries' end cut off": lambda lines: ([*lines[:4], lines[-1]], ("truncated", 4)),
    "the file's end cut off": lambda lines: (lines[:4], ("truncated", 4)),
    "all entries cut off": lambda lines: (lines[:1], ("truncated", 1)),
    "the end cut off inside a line": lambda lines: ([*lines[:3], lines[3][:40]], ("changed", 3)),
    "a line that is no entry": lambda lines: ([*lines[:3], b"{}\n", *lines[4:]], ("changed", 3)),
    "a field of another type": lambda lines: (
        [*lines[:3], lines[3].replace(b'"subject":"revision"', b'"subject":7'), *lines[4:]],
        ("changed", 3),
    ),
    "an empty line": lambda lines: ([*lines[:3], b"\n", *lines[3:]], ("changed", 3)),
    "the key of another log": lambda lines: (
        [with_key(lines[0], "m/audit"), *lines[1:]],
        ("forged", 7),
    ),
    "another size in the checkpoint": lambda lines: (
        [*lines[:-1], lines[-1].replace(b"n/audit\\n7\\n", b"n/audit\\n6\\n")],
        ("forged", 6),
    ),
    "a checkpoint that is none": lambda lines: (
        [*lines[:-1], lines[-1].replace(b"n/audit\\n7\\n", b"n/audit\\n07\\n")],
        ("changed", 8),
    ),
}


@pytest.mark.parametrize("how", FILE_TAMPERINGS)
def test_what_was_done_to_an_exported_file_is_found_and_named(node: AuditedNode, how: str) -> None:
    act(node, 6)
    tampered, expected = FILE_TAMPERINGS[how](list(node.log.export(ADA)))
    assert found(verify_file(tampered)) == expected


def test_a_file_signed_anew_by_a_forger_fails_against_the_node_s_key(
    node: AuditedNode, tmp_path: Path
) -> None:
    act(node)
    forger = load_or_create_key(tmp_path / "forger", "audit")
    key = verifier_key("n/audit", forger.public_key)
    lines = list(node.log.export(ADA))
    tree = EMPTY_TREE
    for line in lines[1:-1]:
        tree = tree.append(leaf_hash(parse_entry(line).canonical()))
    last = checkpoints_line(sign_checkpoint(tree, key, forger.sign), [])
    forged = [with_key(lines[0], str(key)), *lines[1:-1], last]
    assert verify_file(forged).ok, "by its own word it is fine: that is why --key exists"
    assert found(verify_file(forged, trusted=node.key.public_key)) == ("forged", 2)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [b"\xff\n"],
        [b"{}\n"],
        [b"[]\n"],
        [b'{"phems_audit":1,"node":"n","public_key":"","key_id":""}'],
        [b'{"phems_audit":2,"origin":"n","key":"n+0+0"}'],
        [b'{"phems_audit":2,"origin":"n"}'],
    ],
)
def test_a_file_that_is_no_exported_log_is_bad_input_and_no_finding(lines: list[bytes]) -> None:
    with pytest.raises(InputError, match="not an exported audit log"):
        verify_file(lines)


def test_a_log_without_its_checkpoint_can_still_be_exported_as_evidence(node: AuditedNode) -> None:
    act(node, 2)
    node.checkpoint.write_text("{")
    assert found(verify_file(node.log.export(ADA))) == ("truncated", 3)


def test_reading_the_log_is_in_the_log(node: AuditedNode) -> None:
    """Who looked at what others did is a question that auditors are asked."""
    act(node)
    node.log.tail(ADA, 5, project="heart-attack")
    list(node.log.export(ADA))
    node.log.verify(ADA)
    node.log.prove(ADA, 1)
    node.log.prove_extension(ADA, 1)
    node.log.checkpoint(ADA)
    read = node.log.tail(ADA, 6)
    assert [entry.action.removeprefix("audit.") for entry in read] == [
        "tail",
        "export",
        "verify",
        "prove",
        "consistency",
        "checkpoint",
    ]
    assert (read[0].project, read[0].details) == ("heart-attack", {"count": 5})


def test_a_log_that_was_tampered_with_can_still_be_read_as_evidence(node: AuditedNode) -> None:
    act(node, 3)
    tamper(node, "DELETE FROM audit.entry WHERE seq = 3")
    assert [entry.seq for entry in node.log.tail(ADA, 5)] == [1, 2]


def test_an_entry_names_the_capsule_and_the_states_it_is_about(node: AuditedNode) -> None:
    with node.governance.transaction() as tx:
        tx.audit.append(ADA, "code.approve", "r", capsule="ab" * 32, before="SUBMITTED", after="APPROVED")
    assert found(verify_file(node.log.export(ADA))) is None
    (entry, _) = node.log.tail(ADA, 2)
    assert (entry.capsule, entry.before, entry.after) == ("ab" * 32, "SUBMITTED", "APPROVED")
