"""A log from before it had a tree: it is given one, and stays the log it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from phems.domain.audit import EMPTY, Draft, link
from phems.domain.canonical import canonical
from phems.errors import IntegrityError

from .conftest import ADA, Site


@pytest.fixture
def old_site(site: Site) -> Site:
    """A node whose last checkpoint is of the form from before there was a tree."""
    site.act(5)
    with site.governance.transaction() as tx:
        head = tx.audit.head()
    statement = {"node": "n", "size": head.size, "head": head.hash, "at": "then", "key_id": site.key.key_id}
    signature = site.key.sign(canonical({"phems": "audit checkpoint 1", **statement}))
    older(site).write_text(json.dumps({**statement, "signature": signature}))
    site.checkpoint.unlink()
    return site


def older(site: Site) -> Path:
    return site.checkpoint.with_name("checkpoint.json")


def test_an_older_log_is_signed_in_the_new_form_and_goes_on(old_site: Site) -> None:
    old_site.restart()
    old_site.log.open()
    assert not older(old_site).exists(), "it must not vouch for another log some day"
    old_site.act()
    assert old_site.log.verify(ADA).ok
    assert old_site.kept().size == 7


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit.entry SET actor = 'eve' WHERE seq = 2",
        "DELETE FROM audit.entry WHERE seq = 5",
        "DELETE FROM audit.entry WHERE seq = 2",
    ],
)
def test_an_older_log_that_was_changed_is_not_signed(old_site: Site, damage: str) -> None:
    """Otherwise the upgrade would be the moment to launder a changed log."""
    with old_site.database.engine("admin").begin() as connection:
        connection.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER ALL"))
        connection.execute(text(damage))
    old_site.restart()
    with pytest.raises(IntegrityError, match="no checkpoint"):
        old_site.log.open()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"size": 5}', "forged"])
def test_an_older_checkpoint_that_is_none_vouches_for_nothing(old_site: Site, content: str) -> None:
    written = older(old_site).read_text()
    older(old_site).write_text(
        written.replace('"at": "then"', '"at": "now"') if content == "forged" else content
    )
    old_site.restart()
    with pytest.raises(IntegrityError, match="no checkpoint"):
        old_site.log.open()


def test_entries_without_a_tree_are_given_theirs(site: Site) -> None:
    """What the migration does to a log that was written before it: each entry's place, and nothing else."""
    site.act(9)
    with site.database.engine("admin").begin() as connection:
        kept = connection.execute(
            text("SELECT seq, canonical, hash, peaks FROM audit.entry ORDER BY seq")
        ).all()
        connection.execute(text("ALTER TABLE audit.entry ALTER COLUMN peaks DROP NOT NULL"))
        connection.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER ALL"))
        connection.execute(text("UPDATE audit.entry SET peaks = NULL"))
        connection.execute(text("ALTER TABLE audit.entry ENABLE ALWAYS TRIGGER entry_is_append_only"))
        from importlib import import_module

        from alembic.migration import MigrationContext
        from alembic.operations import Operations

        migration = import_module("phems.adapters.postgres.migrations.versions.0007_audit_tree")
        with Operations.context(MigrationContext.configure(connection)):
            migration._fill_peaks()
        found = connection.execute(
            text("SELECT seq, canonical, hash, peaks FROM audit.entry ORDER BY seq")
        ).all()
    assert [(row.seq, row.canonical, row.hash, bytes(row.peaks)) for row in found] == [
        (row.seq, row.canonical, row.hash, bytes(row.peaks)) for row in kept
    ]
    site.act()
    assert site.log.verify(ADA).ok


def test_an_entry_from_before_keeps_its_hash() -> None:
    """The canonical bytes of the first version, as they lie in logs that exist."""
    from datetime import UTC, datetime

    at = datetime(2026, 11, 23, 8, tzinfo=UTC)
    written = link(EMPTY, Draft(actor=ADA, action="a.b", subject="s"), at).written
    assert written == (
        b'{"action":"a.b","actor":"ada","actor_kind":"person","at":"2026-11-23T08:00:00.000000Z","details":{},'
        b'"prev_hash":"' + b"0" * 64 + b'","project":null,"result":"done","seq":1,"subject":"s"}'
    )
