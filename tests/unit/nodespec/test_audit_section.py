"""The audit section: an anchor that would be none, or a secret in the file, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from phems.nodespec import check_text, node_paths, parse_node
from phems.nodespec.audit import Anchor

BASE = "version: 1\nnode: {name: node-a}\ncontroller: {name: b}\n"
SECTION = """\
audit:
  origin: hospital.example/node-a/audit
  anchors:
    share: {folder: {path: /mnt/audit}, on_failure: refuse, minutes: 30}
    witness: {webhook: {url: https://witness.example/checkpoints, token: env:WITNESS_TOKEN}}
    vault: {s3: {bucket: node-a-audit, prefix: node-a/, region: eu-west-2, lock: governance}}
"""


def test_a_node_has_no_anchors_and_a_log_of_its_own_name_until_it_is_told() -> None:
    spec = parse_node(BASE)
    assert spec.audit.anchors == {}
    assert spec.audit_origin == "node-a/audit"


def test_each_anchor_is_one_place_with_what_is_asked_of_it() -> None:
    spec = parse_node(BASE + SECTION)
    assert spec.audit_origin == "hospital.example/node-a/audit"
    anchors = spec.audit.anchors
    assert [(name, anchor.kind) for name, anchor in anchors.items()] == [
        ("share", "folder"),
        ("witness", "webhook"),
        ("vault", "s3"),
    ]
    assert (anchors["share"].on_failure, anchors["share"].minutes) == ("refuse", 30)
    assert (anchors["vault"].on_failure, anchors["vault"].every_seconds) == ("report", 60)


def test_what_an_anchor_has_is_remembered_beside_the_checkpoint(tmp_path: Path) -> None:
    paths = node_paths(parse_node(BASE), tmp_path)
    assert paths.anchored("vault").parent.parent == paths.checkpoint.parent


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("hospital.example/node-a/audit", "'the audit log'"), "cannot name a log"),
        (("https://witness.example/checkpoints", "ftp://witness.example"), "is not an address"),
        (("env:WITNESS_TOKEN", "geheim"), "the token stands in node.yaml"),
        (("node-a-audit", "s3://audit"), "is not the name of a bucket"),
        (("prefix: node-a/", "prefix: node-a"), "is not a prefix"),
        (("folder: {path: /mnt/audit}", "{}"), None),
        (("folder: {path: /mnt/audit}, ", ""), "an anchor is one of"),
        (("{folder:", "{webhook: {url: http://h/}, folder:"), "an anchor is one of"),
        (("minutes: 30", "minutes: 1, every_seconds: 600"), "longer than they may be missing"),
    ],
)
def test_what_would_be_no_anchor_is_said_so(change: tuple[str, str], what: str | None) -> None:
    assert check_text(BASE + SECTION) == []
    problems = check_text(BASE + SECTION.replace(*change))
    assert problems
    assert what is None or what in problems[0].what


def test_an_anchor_that_must_have_every_entry_may_be_given_them_as_often() -> None:
    assert (
        Anchor.model_validate({"folder": {"path": "x"}, "on_failure": "refuse", "minutes": 1}).kind
        == "folder"
    )
