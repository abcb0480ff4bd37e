"""What a step process says to its host."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.host.step_loop import Ended, unpack_ended


@pytest.mark.parametrize(
    "packet", [b"", b"[]", b"null", b"{}", b'{"cpu_seconds": "x", "max_rss_kib": 1}', b"\xff", b"[" * 10_000]
)
def test_a_word_that_nobody_knows_is_one_kind_of_error(packet: bytes) -> None:
    """Otherwise hostile code in a step takes its project's host down with a message."""
    with pytest.raises(ValueError):  # noqa: PT011 (the one kind)
        unpack_ended(packet)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_that_error(packet: bytes) -> None:
    """As above, for what nobody thought of."""
    with contextlib.suppress(ValueError):
        assert isinstance(unpack_ended(packet), Ended)
