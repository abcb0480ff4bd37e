"""A node of the first schema, filled with rows, is brought to the newest: nothing is lost, all verifies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from tests.folders import open_folder
from tests.made_databases import give_database

from phems.adapters.clock import SystemClock
from phems.adapters.postgres import migrate as migrations
from phems.adapters.postgres import provision
from phems.adapters.postgres.database import Database, open_embedded
from phems.adapters.postgres.migrate import latest, migrate
from phems.adapters.signing import AUDIT_KEY, load_or_create_key
from phems.cli.__main__ import main
from phems.domain.actors import Actor
from phems.domain.audit import EMPTY, Draft, Head, link
from phems.domain.canonical import canonical
from phems.errors import UnavailableError
from phems.nodespec import NodePaths, load_node, node_paths
from phems.serve import ServingNode

SPEC = "version: 1\nnode: {name: test-node}\ncontroller: {name: A hospital}\n"
NAMES = {"digest": "ab" * 32, "commit": "cd" * 20}
AUDIT = """
INSERT INTO audit.entry
    (seq, at, actor, actor_kind, action, subject, project, result, details, canonical, prev_hash, hash)
VALUES
    (:seq, CAST(:at AS timestamptz), :actor, :actor_kind, :action, :subject, :project, :result,
     CAST(:written AS jsonb), :canonical, :prev_hash, :hash)
"""
# What each table held in the schema with which the first version could do the main job.
ROWS = {
    "0002": """
governance.users (name, password_hash, created_at, created_by) VALUES ('ada', 'x', now(), 'op')
governance.api_tokens VALUES (:digest, 'ada', now(), now(), NULL)
governance.user_sessions VALUES (:digest, 'ada', now(), now(), NULL)
governance.sign_in_failures VALUES ('ada', 2, now())
""",
    "0003": """
governance.code_revisions VALUES ('p', :commit, :digest, NULL, 'main', 'First', '{ada}', 'ada', now(), 1,\
 'APPROVED', 'wei', now(), '')
governance.code_approvals VALUES ('p', :commit, 1, 'wei', now(), 'Read it.')
""",
    "0004": """
governance.outputs (project, run_id, step_key, path, sha256, size, media_type, at)\
 VALUES ('p', 'r1', 's', 'table.csv', :digest, 3, 'text/csv', now())
""",
    "0005": """
governance.release_requests VALUES ('rr-aaaaaaaa', 'p', 'ada', '{ada}', '{}', now(), '[]', '[]', 'RELEASED',\
 1, 'wei', now(), '', now(), :digest)
governance.release_files VALUES ('rr-aaaaaaaa', 1, 'table.csv', :digest, 3, 'text/csv', 'r1', 's', 'g',\
 'output')
governance.release_votes VALUES ('rr-aaaaaaaa', 1, 'table.csv', 'carol', 'APPROVED', now())
governance.release_comments VALUES ('rr-aaaaaaaa', 1, 1, 'carol', 'Fine.', 'PUBLIC', now())
""",
    "0006": """
governance.run_submissions VALUES ('r1', 'p', 'ada', 'd', :digest, '{}', now())
governance.run_admissions VALUES ('r1', 'p', 'd', :digest, now())
""",
}
TABLES = [row.split(maxsplit=1)[0] for told in ROWS.values() for row in told.strip().splitlines()]


@pytest.fixture(scope="module")
def node() -> Iterator[Path]:
    """A stopped node as the first version left it."""
    with open_folder() as folder:
        place = folder / "node"
        place.mkdir()
        (place / "node.yaml").write_text(SPEC)
        give_database(ServingNode(place))
        paths = node_paths(load_node(place), place)
        with opened(paths) as database:
            with database.engine("admin").begin() as connection:
                connection.execute(text("DROP SCHEMA audit, engine, governance CASCADE"))
            admin = create_engine(database.address("admin"), poolclass=NullPool)
            provision.provision_schemas(admin)
            head = fill(database)
        vouch(paths, head)
        yield place


def opened(paths: NodePaths) -> Database:
    return open_embedded(data=paths.postgres, keys=paths.keys, runtime_dir=paths.runtime_dir, start=True)


def fill(database: Database) -> Head:
    owner = create_engine(database.address("owner"), poolclass=NullPool)
    migrate(owner, "0001")
    head = EMPTY
    with owner.begin() as connection:
        for number in range(3):
            linked = link(
                head, Draft(actor=Actor("ada"), action="x.do", subject=f"s{number}"), SystemClock().now()
            )
            content = {**dict.fromkeys(("project",)), **linked.entry.content()}
            more = {"written": "{}", "canonical": linked.written.decode(), "hash": linked.entry.hash}
            connection.execute(text(AUDIT), {**content, **more})
            head = linked.head
    for migration, told in ROWS.items():
        migrate(owner, migration)
        with owner.begin() as connection:
            for row in told.strip().splitlines():
                names = {name: value for name, value in NAMES.items() if f":{name}" in row}
                connection.execute(text(f"INSERT INTO {row}"), names)
    return head


def vouch(paths: NodePaths, head: Head) -> None:
    """The checkpoint of the form from before there was a tree."""
    key = load_or_create_key(paths.keys, AUDIT_KEY)
    stated = {"node": "test-node", "size": head.size, "head": head.hash, "at": "then", "key_id": key.key_id}
    signature = key.sign(canonical({"phems": "audit checkpoint 1", **stated}))
    paths.audit.mkdir()
    (paths.audit / "checkpoint.json").write_text(json.dumps({**stated, "signature": signature}))


def rows(database: Database) -> dict[str, list[Any]]:
    with database.engine("owner").connect() as connection:
        return {
            name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]  # noqa: S608
            for name in TABLES
        }


def test_a_node_of_the_first_schema_is_upgraded_with_all_that_it_holds(
    node: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an upgrade is the day on which years of decisions are lost, or verify no more."""
    monkeypatch.delenv("PHEMS_TOKEN", raising=False)
    kept = node.with_name(f"node.before-{latest()}")
    at_node = ["--node", str(node)]
    assert main([*at_node, "--json", "upgrade", "--check"]) == 0
    looked = json.loads(capsys.readouterr().out)
    assert (looked["migration"], looked["latest"], looked["is_done"]) == ("0006", latest(), False)
    assert not kept.exists()
    assert main([*at_node, "upgrade"]) == 0
    assert f"at migration 0006, and is at {latest()} now" in capsys.readouterr().out
    paths = node_paths(load_node(node), node)
    with opened(paths) as database:
        after = rows(database)
    assert {name: len(found) for name, found in after.items()} == dict.fromkeys(TABLES, 1)
    assert (after["governance.users"][0]["name"], after["governance.users"][0]["password_hash"]) == (
        "ada",
        "x",
    )
    assert after["governance.release_votes"][0]["vote"] == "APPROVED"
    assert main([*at_node, "audit", "verify"]) == 0
    capsys.readouterr()
    assert main([*at_node, "--json", "audit", "tail", "-n", "50"]) == 0
    entries = json.loads(capsys.readouterr().out)
    (upgraded,) = [entry for entry in entries if entry["action"] == "node.upgrade"]
    assert (upgraded["seq"], upgraded["details"]["from"]) == (4, "0006")
    assert main([*at_node, "upgrade"]) == 0
    assert "Nothing to do" in capsys.readouterr().out

    # What was backed up before is a node of this version once it is restored.
    restored = node.with_name("restored")
    assert main(["restore", str(kept), str(restored)]) == 0
    assert main(["--node", str(restored), "audit", "verify"]) == 0
    digest = hashlib.sha256((kept / "manifest.json").read_bytes()).hexdigest()
    assert upgraded["details"]["backup"] == digest


def test_a_migration_that_would_lose_rows_is_taken_back() -> None:
    """A mistake in a migration is found by whoever wrote it, not by a hospital."""
    migrations._check_rows({"audit.entry": 3}, {"audit.entry": 3, "governance.more": 0})
    with pytest.raises(UnavailableError, match=r"lost rows of audit\.entry, governance\.users"):
        migrations._check_rows({"audit.entry": 3, "governance.users": 1}, {"audit.entry": 2})
