"""The hash chain: whatever is done to a log, its first wrong entry is found and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.actors import NODE, Actor
from phems.domain.audit import (
    EMPTY,
    GENESIS,
    Checkpoint,
    Draft,
    Entry,
    Finding,
    Head,
    chain,
    link,
    timestamp,
    verify,
)
from phems.domain.canonical import sha256
from phems.errors import InputError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def log(size: int) -> list[Entry]:
    """A log of `size` entries, none like another."""
    entries: list[Entry] = []
    head = EMPTY
    for number in range(1, size + 1):
        draft = Draft(actor=NODE, action="run.admit", subject=f"run-{number}", details={"cpu": number / 3})
        entries.append(link(head, draft, NOON + timedelta(seconds=number)))
        head = Head(number, entries[-1].hash)
    return entries


def rehashed(entry: Entry) -> Entry:
    """The entry with the hash of the content it has now, as a careful forger would leave it."""
    return replace(entry, hash=chain(entry.prev_hash, entry))


def checkpoint_of(entries: Iterable[Entry]) -> Checkpoint:
    last = list(entries)[-1:]
    size, head = (last[0].seq, last[0].hash) if last else (0, GENESIS)
    unsigned = Checkpoint(node="n", size=size, head=head, at=timestamp(NOON), key_id="k", signature="")
    return replace(unsigned, signature=sha256(unsigned.signed_bytes()))


def signed(checkpoint: Checkpoint) -> bool:
    """The tests' stand-in for a signature: the hash of what is signed."""
    return checkpoint.signature == sha256(checkpoint.signed_bytes())


def kind_and_place(finding: Finding | None) -> tuple[str, int] | None:
    return None if finding is None else (finding.kind, finding.seq)


def test_an_entry_says_who_did_what_when_and_names_the_one_before() -> None:
    draft = Draft(actor=Actor("ada"), action="code.approve", subject="abc", project="p", details={"a": (1,)})
    at = datetime(2026, 11, 23, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    entry = link(Head(6, "ab" * 32), draft, at)
    assert entry.seq == 7
    assert entry.at == "2026-11-23T12:00:00.000005Z"
    assert (entry.actor, entry.actor_kind, entry.result) == ("ada", "person", "done")
    assert entry.details == {"a": [1]}
    assert entry.prev_hash == "ab" * 32
    assert entry.hash == sha256(entry.canonical()) == chain("ab" * 32, entry)


@pytest.mark.parametrize("field", ["action", "subject", "result"])
def test_an_entry_that_does_not_say_what_was_done_is_refused(field: str) -> None:
    fields = {"action": "a", "subject": "s", "result": "r"} | {field: ""}
    with pytest.raises(InputError, match=field):
        Draft(actor=NODE, **fields)


def test_details_that_could_not_be_hashed_are_refused_while_the_act_still_can_be() -> None:
    with pytest.raises(InputError, match=r"details\.file is a"):
        Draft(actor=NODE, action="a", subject="s", details={"file": object()})


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_an_untouched_log_verifies_alone_with_its_checkpoint_and_when_it_has_grown_since(size: int) -> None:
    entries = log(size)
    assert verify(entries) is None
    assert verify(iter(entries), checkpoint_of(entries), signed, complete=True) is None
    assert verify(entries, checkpoint_of(entries[: size // 2]), signed) is None


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
    # The last is for the checkpoint to hold: see the tests below.
    place = data.draw(st.integers(0, size - 2))
    tampered, kind, seq = TAMPERINGS[how](log(size), place)
    assert kind_and_place(verify(tampered)) == (kind, seq)
    assert kind_and_place(verify(tampered, checkpoint_of(log(size)), signed)) == (kind, seq)


@given(st.data())
def test_two_entries_that_changed_places_are_found_and_the_first_is_named(data: st.DataObject) -> None:
    entries = log(data.draw(st.integers(2, 8)))
    first, second = sorted(data.draw(st.sets(st.integers(0, len(entries) - 1), min_size=2, max_size=2)))
    entries[first], entries[second] = entries[second], entries[first]
    assert kind_and_place(verify(entries)) == ("reordered", first + 1)


@given(st.integers(1, 8).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_a_tail_that_was_cut_off_is_found_by_the_checkpoint(sizes: tuple[int, int]) -> None:
    whole, left = sizes
    assert verify(log(whole)[:left]) is None
    finding = verify(log(whole)[:left], checkpoint_of(log(whole)), signed)
    assert kind_and_place(finding) == ("truncated", left + 1)


@given(st.integers(1, 8).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_a_whole_suffix_written_anew_is_found_by_the_checkpoint(sizes: tuple[int, int]) -> None:
    size, start = sizes
    entries = log(size)
    forged = entries[:start]
    for entry in entries[start:]:
        head = forged[-1].hash if forged else GENESIS
        forged.append(rehashed(replace(entry, actor="eve", prev_hash=head)))
    assert verify(forged) is None
    finding = verify(forged, checkpoint_of(entries), signed)
    assert kind_and_place(finding) == ("changed", size)


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


def test_what_follows_the_checkpoint_of_a_complete_file_is_named() -> None:
    entries = log(3)
    assert kind_and_place(verify(entries, checkpoint_of(entries[:2]), signed, complete=True)) == ("added", 3)


def test_a_checkpoint_that_the_node_did_not_sign_proves_nothing() -> None:
    entries = log(3)
    shorter = replace(checkpoint_of(entries), size=2, head=entries[1].hash)
    assert kind_and_place(verify(entries[:2], shorter, signed)) == ("forged", 2)


def test_a_signed_checkpoint_of_an_empty_log_names_no_entry() -> None:
    odd = replace(checkpoint_of([]), head="ab" * 32)
    assert kind_and_place(verify([], odd)) == ("forged", 0)


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
    assert (
        str(Finding("removed", 4, "entry 5 follows entry 3"))
        == "entry 4 was removed: entry 5 follows entry 3"
    )
