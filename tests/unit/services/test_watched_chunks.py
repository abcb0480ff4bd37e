"""Bytes that are hashed while they are copied: all of them, in order, and a failure is not lost."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest

from phems.services.watched_chunks import watched


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_every_chunk_is_passed_on_and_watched_in_order(number: int) -> None:
    """Otherwise a digest is that of other bytes than were copied."""
    chunks = [bytes([value]) * 3000 for value in range(number)]
    seen: list[bytes] = []
    hasher = hashlib.sha256()
    assert list(watched(chunks, seen.append)) == chunks == seen
    assert b"".join(watched(chunks, hasher.update)) == b"".join(chunks)
    assert hasher.digest() == hashlib.sha256(b"".join(chunks)).digest()


@pytest.mark.parametrize("at", [0, 1, 4])
def test_what_the_watcher_refuses_is_refused(at: int) -> None:
    """Otherwise a file with a forbidden content is copied to its end and let go."""
    seen: list[bytes] = []

    def watch(chunk: bytes) -> None:
        if len(seen) == at:
            raise ValueError("forbidden")
        seen.append(chunk)

    with pytest.raises(ValueError, match="forbidden"):
        list(watched([b"a"] * 5, watch))


def test_chunks_are_taken_one_ahead_and_no_more() -> None:
    """Otherwise a large file fills the memory when the disk is slow."""
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x"

    passed = watched(chunks(), lambda _: None)
    for given in range(1, 5):
        next(passed)
        assert taken == given + 1
    passed.close()


def test_a_copy_that_fails_leaves_no_thread_behind() -> None:
    """Otherwise each failed request leaves a thread in the node."""
    before = threading.active_count()
    passed = watched([b"a"] * 9, lambda _: None)
    next(passed)
    next(passed)
    passed.close()
    assert threading.active_count() == before
