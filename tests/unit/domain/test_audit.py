"""Audit entries: each says who did what, names the one before it, and is a leaf of the tree over all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from phems.domain.actors import NODE, Actor
from phems.domain.audit import EMPTY, GENESIS, Draft, Head, link, timestamp
from phems.domain.canonical import sha256
from phems.domain.merkle import EMPTY_ROOT, EMPTY_TREE, leaf_hash
from phems.errors import InputError


def test_an_entry_says_who_did_what_when_and_names_the_one_before() -> None:
    draft = Draft(actor=Actor("ada"), action="code.approve", subject="abc", project="p", details={"a": (1,)})
    at = datetime(2026, 11, 23, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    before = Head("ab" * 32, EMPTY_TREE.append(leaf_hash(b"the first")))
    linked = link(before, draft, at)
    entry = linked.entry
    assert entry.seq == 2
    assert entry.at == "2026-11-23T12:00:00.000005Z"
    assert (entry.actor, entry.actor_kind, entry.result) == ("ada", "person", "done")
    assert entry.details == {"a": [1]}
    assert entry.prev_hash == "ab" * 32
    assert linked.written == entry.canonical()
    assert entry.hash == sha256(entry.canonical()) == linked.head.hash
    assert linked.leaf.after() == linked.head.tree == before.tree.append(leaf_hash(entry.canonical()))


def test_the_capsule_and_the_states_are_hashed_when_there_are_some_and_left_out_when_not() -> None:
    """Entries from before there were such fields must keep their hash."""
    about_states = Draft(
        actor=NODE, action="a", subject="s", capsule="c" * 64, before="SUBMITTED", after="APPROVED"
    )
    full = link(EMPTY, about_states, datetime.now(UTC))
    bare = link(EMPTY, Draft(actor=NODE, action="a", subject="s"), datetime.now(UTC))
    for name in (b"capsule", b"before", b"after"):
        assert name in full.written
        assert name not in bare.written
    assert replace(full.entry, after="REJECTED").canonical() != full.written


def test_an_empty_log_has_the_root_of_an_empty_tree() -> None:
    assert (EMPTY.size, EMPTY.hash, EMPTY.tree.root()) == (0, GENESIS, EMPTY_ROOT)


def test_a_moment_is_written_in_utc() -> None:
    moment = datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == "2026-11-23T08:00:00.000000Z"


@pytest.mark.parametrize("field", ["action", "subject", "result"])
def test_an_entry_that_does_not_say_what_was_done_is_refused(field: str) -> None:
    fields = {"action": "a", "subject": "s", "result": "r"} | {field: ""}
    with pytest.raises(InputError, match=field):
        Draft(actor=NODE, **fields)


def test_details_that_could_not_be_hashed_are_refused_while_the_act_still_can_be() -> None:
    with pytest.raises(InputError, match=r"details\.file is a"):
        Draft(actor=NODE, action="a", subject="s", details={"file": object()})
