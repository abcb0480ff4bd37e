"""Verification: whatever is done to a log, its first wrong entry is found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.actors import NODE
from phems.domain.audit import EMPTY, Draft, Entry, Head, link
from phems.domain.audit_verification import Finding, SignedHead, Walk, verify
from phems.domain.canonical import sha256
from phems.domain.merkle import EMPTY_TREE, leaf_hash

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def log(size: int) -> list[Entry]:
    """A log of `size` entries, none like another."""
    entries: list[Entry] = []
    head = EMPTY
    for number in range(1, size + 1):
        draft = Draft(actor=NODE, action="run.admit", subject=f"run-{number}", details={"cpu": number / 3})
        linked = link(head, draft, NOON + timedelta(seconds=number))
        entries.append(linked.entry)
        head = linked.head
    return entries


def rehashed(entry: Entry) -> Entry:
    """The entry with the hash of the content it has now, as a careful forger would leave it."""
    return replace(entry, hash=sha256(entry.canonical()))


def rewritten(entries: list[Entry], start: int) -> list[Entry]:
    """The log with the entries from `start` on written anew, each linked to the one before."""
    forged = entries[:start]
    for entry in entries[start:]:
        head = forged[-1].hash if forged else EMPTY.hash
        forged.append(rehashed(replace(entry, actor="eve", prev_hash=head)))
    return forged


def signed(entries: Iterable[Entry], *, is_anchor: bool = False) -> SignedHead:
    """What was signed when the log was this."""
    head = EMPTY
    for entry in entries:
        head = Head(entry.hash, head.tree.append(leaf_hash(entry.canonical())))
    held_by = "an anchor" if is_anchor else "the last checkpoint"
    return SignedHead(head.size, head.tree.root(), held_by, is_anchor)


def kind_and_place(finding: Finding | None) -> tuple[str, int] | None:
    return None if finding is None else (finding.kind, finding.seq)


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_an_untouched_log_verifies_alone_with_what_was_signed_and_when_it_has_grown_since(size: int) -> None:
    entries = log(size)
    assert verify(entries) is None
    assert verify(iter(entries), [signed(entries)], complete=True) is None
    assert verify(entries, [signed(entries[:at]) for at in range(size + 1)]) is None


TAMPERINGS: dict[str, Callable[[list[Entry], int], tuple[list[Entry], str, int]]] = {
    "a field is changed": lambda entries, i: (
        [*entries[:i], replace(entries[i], actor="eve"), *entries[i + 1 :]],
        "changed",
        i + 1,
    ),
    "a field is changed and the entry hashed anew": lambda entries, i: (
        [*entries[:i], rehashed(replace(entries[i], result="refused")), *entries[i + 1 :]],
        "changed",
        i + 1,
    ),
    "the link is changed and the entry hashed anew": lambda entries, i: (
        [*entries[:i], rehashed(replace(entries[i], prev_hash="ab" * 32)), *entries[i + 1 :]],
        "changed",
        i + 1,
    ),
    "the hash is changed": lambda entries, i: (
        [*entries[:i], replace(entries[i], hash="cd" * 32), *entries[i + 1 :]],
        "changed",
        i + 1,
    ),
    "it is removed": lambda entries, i: ([*entries[:i], *entries[i + 1 :]], "removed", i + 1),
    "it is put in a second time": lambda entries, i: (
        [*entries[: i + 1], entries[i], *entries[i + 1 :]],
        "added",
        i + 1,
    ),
}


@given(st.data(), st.sampled_from(sorted(TAMPERINGS)))
def test_one_tampered_entry_is_found_and_named(data: st.DataObject, how: str) -> None:
    size = data.draw(st.integers(2, 8))
    # The last is for what was signed to hold: see the tests below.
    place = data.draw(st.integers(0, size - 2))
    tampered, kind, seq = TAMPERINGS[how](log(size), place)
    assert kind_and_place(verify(tampered)) == (kind, seq)
    assert kind_and_place(verify(tampered, [signed(log(size))])) == (kind, seq)


@given(st.data())
def test_two_entries_that_changed_places_are_found_and_the_first_is_named(data: st.DataObject) -> None:
    entries = log(data.draw(st.integers(2, 8)))
    first, second = sorted(data.draw(st.sets(st.integers(0, len(entries) - 1), min_size=2, max_size=2)))
    entries[first], entries[second] = entries[second], entries[first]
    assert kind_and_place(verify(entries)) == ("reordered", first + 1)


SIZE_AND_LESS = st.integers(1, 8).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@given(SIZE_AND_LESS)
def test_a_tail_that_was_cut_off_is_found_by_what_was_signed(sizes: tuple[int, int]) -> None:
    whole, left = sizes
    assert verify(log(whole)[:left]) is None
    assert kind_and_place(verify(log(whole)[:left], [signed(log(whole))])) == ("truncated", left + 1)


@given(SIZE_AND_LESS)
def test_a_log_set_back_as_a_whole_is_found_by_an_anchor(sizes: tuple[int, int]) -> None:
    """Database, checkpoint and all restored from an old backup: everything in it agrees."""
    whole, left = sizes
    older = log(whole)[:left]
    heads = [signed(older), signed(log(whole), is_anchor=True)]
    finding = verify(older, heads, complete=True)
    assert kind_and_place(finding) == ("rolled back", left + 1)
    assert "signed in an anchor" in str(finding)


@given(SIZE_AND_LESS)
def test_entries_written_anew_to_the_end_are_a_fork_and_narrowed_down(sizes: tuple[int, int]) -> None:
    size, start = sizes
    entries = log(size)
    forged = rewritten(entries, start)
    assert verify(forged) is None
    finding = verify(forged, [signed(entries)])
    assert finding == Finding("forked", 1, finding.why if finding else "", until=size)
    # With one more signed head, just before: the entry itself.
    heads = [signed(entries[:start]), signed(entries[: start + 1]), signed(entries)]
    finding = verify(forged, heads)
    assert kind_and_place(finding) == ("forked", start + 1)
    assert finding is not None
    assert finding.says == f"entry {start + 1} was written anew, and all that follows it"


def test_a_fork_with_two_signed_heads_of_one_size_is_found() -> None:
    """The node's own key signed two histories: one of the two is not this log."""
    entries = log(4)
    heads = [signed(entries), signed(rewritten(entries, 2), is_anchor=True)]
    finding = verify(entries, heads)
    assert finding is not None
    assert (finding.kind, finding.until) == ("forked", 4)


def test_when_the_last_two_disagree_and_nothing_follows_the_earlier_is_named() -> None:
    entries = log(3)
    entries[1] = rehashed(replace(entries[1], actor="eve"))
    assert kind_and_place(verify(entries)) == ("changed", 2)


def test_a_first_entry_that_is_not_linked_to_the_zeros_is_named() -> None:
    entries = log(2)
    entries[0] = rehashed(replace(entries[0], prev_hash="ab" * 32))
    assert kind_and_place(verify(entries)) == ("changed", 1)


def test_an_entry_without_a_canonical_form_is_named() -> None:
    entries = log(2)
    entries[1] = replace(entries[1], details={"n": float("inf")})
    assert kind_and_place(verify(entries)) == ("changed", 2)


def test_what_follows_the_last_signed_head_of_a_complete_file_is_named() -> None:
    entries = log(3)
    assert kind_and_place(verify(entries, [signed(entries[:2])], complete=True)) == ("added", 3)


def test_an_empty_log_that_was_signed_as_something_else_is_a_fork() -> None:
    odd = SignedHead(0, EMPTY_TREE.append(leaf_hash(b"")).root(), "the last checkpoint")
    assert kind_and_place(verify([], [odd])) == ("forked", 0)


def test_a_log_is_read_as_a_stream() -> None:
    seen = 0

    def stream() -> Iterable[Entry]:
        nonlocal seen
        for entry in log(5):
            seen += 1
            yield replace(entry, actor="eve") if entry.seq == 2 else entry

    assert kind_and_place(verify(stream())) == ("changed", 2)
    assert seen == 2


def test_a_finding_reads_as_a_sentence() -> None:
    removed = Finding("removed", 4, "entry 5 follows entry 3")
    assert str(removed) == "entry 4 was removed: entry 5 follows entry 3"
    anew = Finding("forked", 5, "why", until=9)
    assert str(anew) == "one of entries 5 to 9 was written anew, and all that follows it: why"


def test_a_walk_goes_on_from_where_it_stopped() -> None:
    """Otherwise whoever watches a log reads all of it at each look."""
    entries = log(7)
    walk = Walk()
    assert walk.go_on(entries, [signed(entries)], limit=4) is None
    assert (walk.head.size, walk.is_at_end) == (4, False)
    # An earlier signed head was met before; the last is still to come.
    assert walk.go_on(entries[4:], [signed(entries[:2]), signed(entries)], limit=4) is None
    assert (walk.head.size, walk.is_at_end) == (7, True)


def test_a_walk_stays_before_what_is_wrong() -> None:
    """Otherwise the next look would go on as if nothing had been found."""
    entries = log(7)
    walk = Walk()
    walk.go_on(entries, limit=4)
    forged = [*entries[4:5], replace(entries[5], actor="eve"), entries[6]]
    assert kind_and_place(walk.go_on(forged)) == ("changed", 6)
    assert (walk.head.size, walk.is_at_end) == (5, False)


def test_a_walk_that_goes_on_finds_an_end_that_was_cut_off_or_written_anew() -> None:
    entries = log(7)
    walk = Walk()
    walk.go_on(entries, limit=4)
    assert kind_and_place(walk.go_on([], [signed(entries)])) == ("truncated", 5)
    again = Walk()
    again.go_on(entries, limit=4)
    anew = rewritten(entries, 4)
    assert kind_and_place(again.go_on(anew[4:], [signed(entries)])) == ("forked", 5)
