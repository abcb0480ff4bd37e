"""A manifest is read as it was written, and vouches for every file: or a backup would be trusted blindly."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from phems.domain.audit import Entry
from phems.domain.backups import (
    RESTORED,
    BackedFile,
    BackedFolder,
    BackedLink,
    BucketObject,
    Manifest,
    check_files,
    check_schema,
    parse_manifest,
    placed,
    set_backs_of,
)
from phems.errors import InputError, IntegrityError, UnavailableError


def entry(action: str, details: dict[str, Any]) -> Entry:
    return Entry(
        seq=8,
        at="2026-11-29T10:00:00Z",
        actor="olga",
        actor_kind="user",
        action=action,
        subject="node-a",
        project=None,
        result="done",
        details=details,
        prev_hash="",
        hash="",
    )


def file(path: str, size: int = 3) -> BackedFile:
    return BackedFile(path=path, sha256="ab" * 32, size=size, mode=0o600, mtime_ns=1)


MANIFEST = Manifest(
    node="node-a",
    made_at="2026-11-28T21:00:00Z",
    software="phems-node 0.1",
    migration="0020",
    postgres=18,
    audit_size=7,
    audit_root="cd" * 32,
    keys="sealed",
    files=[file("keys.sealed"), file("data/artifacts/a/b\udc80"), file("node/node.yaml", 4)],
    links=[BackedLink(path="data/artifacts/a/link", target="/etc/passwd")],
    folders=[BackedFolder(path="data/artifacts", mode=0o700)],
    left_out=[],
    buckets={"b": [BucketObject(key="k", size=1, etag="e", version="")]},
)
FOUND = {each.path: (each.size, each.sha256) for each in MANIFEST.files}


def test_a_manifest_is_read_as_it_was_written() -> None:
    """A name that is not text, too: project code names its files as it likes."""
    assert parse_manifest(MANIFEST.as_text()) == MANIFEST
    assert MANIFEST.size == 10
    assert placed(MANIFEST, "node") == [("node.yaml", MANIFEST.files[2])]


@pytest.mark.parametrize(
    "change",
    [
        {"phems_backup": 2},
        {"files": [{}]},
        {"files": 1},
        {"unknown": 1},
        {"links": [{"path": "data/../../etc/cron.d/x", "target": "y"}]},
        {"links": [{"path": "data", "target": "/"}]},
        {"links": [{"path": "etc/x", "target": "/"}]},
        {"links": [{"path": "data/\0", "target": "/"}]},
        {"folders": [{"path": 7, "mode": 0}]},
        {"folders": [{"path": "data//x", "mode": 0}]},
    ],
)
def test_what_is_no_manifest_or_leads_out_of_the_backup_is_refused(change: dict[str, Any]) -> None:
    """A forged backup would otherwise write wherever its author likes."""
    with pytest.raises(InputError, match="not the manifest"):
        parse_manifest(json.dumps({**json.loads(MANIFEST.as_text()), **change}))


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_what_is_not_even_json_of_that_kind_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not the manifest"):
        parse_manifest(text)


def test_every_file_must_be_there_as_it_was_and_none_beside() -> None:
    """A restore of half a backup, or of one that was changed, would look like a node."""
    check_files(MANIFEST, FOUND)
    with pytest.raises(IntegrityError, match=r"node/node\.yaml.*\n.*missing"):
        check_files(MANIFEST, {path: kept for path, kept in FOUND.items() if path != "node/node.yaml"})
    with pytest.raises(IntegrityError, match=r"data/more.*\n.*added"):
        check_files(MANIFEST, {**FOUND, "data/more": (1, "ef" * 32)})
    with pytest.raises(IntegrityError, match="bytes are others"):
        check_files(MANIFEST, {**FOUND, "keys.sealed": (3, "ef" * 32)})


def test_a_backup_of_a_later_version_is_refused() -> None:
    """An older version would run on tables that it does not know."""
    check_schema(MANIFEST, "0020")
    check_schema(MANIFEST, "0021")
    with pytest.raises(UnavailableError, match="later version"):
        check_schema(replace(MANIFEST, migration="0021"), "0020")


def test_an_entry_of_a_restore_names_the_anchors_that_it_leaves_behind() -> None:
    """An auditor has nothing else to go by."""
    behind = {"reason": "the disk burnt", "behind": [{"anchor": "share", "size": 9, "root": "ab"}]}
    assert set_backs_of(entry(RESTORED, {"audit_entries": 7})) == []
    assert set_backs_of(entry("user.add", behind)) == [], "whoever else writes so excuses nothing"
    (found,) = set_backs_of(entry(RESTORED, behind))
    assert (found.size, found.root) == (9, "ab")
    assert str(found) == (
        "it was restored behind the outside anchor share, which has a checkpoint of 9 entries; "
        "entry 8 says so: the disk burnt (olga, 2026-11-29T10:00:00Z)"
    )
