"""What node and host say to each other: every message survives, everything else is refused."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.contract.host_messages import (
    MAX_MESSAGE_BYTES,
    HostFailed,
    HostLoaded,
    HostMessage,
    KillStep,
    StartStep,
    StepExited,
    StepStarted,
    pack,
    unpack,
)
from phems.errors import IntegrityError

NUMBERS = st.integers(min_value=-(2**31), max_value=2**31)
SECONDS = st.floats(min_value=0, max_value=1e9)
MESSAGES = st.one_of(
    st.builds(StartStep, NUMBERS, st.text(max_size=200)),
    st.builds(KillStep, NUMBERS, st.booleans()),
    st.builds(HostLoaded, SECONDS, st.text(max_size=200)),
    st.builds(HostFailed, st.text(max_size=200)),
    st.builds(StepStarted, NUMBERS, NUMBERS),
    st.builds(StepExited, NUMBERS, NUMBERS, SECONDS, NUMBERS),
)


@given(MESSAGES)
def test_a_message_is_understood_as_it_was_meant(message: HostMessage) -> None:
    """Otherwise a step's end is taken for its start."""
    packet = pack(message)
    assert unpack(packet) == message
    assert len(packet) <= MAX_MESSAGE_BYTES


@pytest.mark.parametrize("letter", ["x", "ä", "\N{PILE OF POO}", "\0"])
def test_a_long_error_is_cut_to_its_end_and_fits(letter: str) -> None:
    """Otherwise a long traceback never arrives, and the author sees a host that is loading for ever."""
    packet = pack(HostFailed(letter * 10**6 + "the reason"))
    assert len(packet) <= MAX_MESSAGE_BYTES
    message = unpack(packet)
    assert isinstance(message, HostFailed)
    assert message.error.endswith("the reason")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b"{}",
        b'{"kind": "nobody"}',
        b'{"kind": ["start"]}',
        b'{"kind": "start"}',
        b'{"kind": "start", "task_id": 1, "more": 2}',
        b'{"kind": "start", "task_id": []}',
        b'{"kind": "loaded", "load_seconds": "soon", "limits": ""}',
        b'{"kind": "loaded", "load_seconds": NaN, "limits": ""}',
        b'{"kind": "loaded", "load_seconds": 1e999, "limits": ""}',
        b'{"kind": "failed", "error": null}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused_as_such(packet: bytes) -> None:
    """Otherwise a host that talks nonsense breaks the node instead of being ended."""
    with pytest.raises(IntegrityError, match="nobody knows"):
        unpack(packet)


def test_every_message_has_a_kind_of_its_own() -> None:
    """Otherwise one of two kinds of message is read as the other."""
    kinds: list[Any] = [message.kind for message in get_args(HostMessage)]
    assert len(set(kinds)) == len(kinds) == 6
    assert all("kind" not in {f.name for f in fields(message)} for message in get_args(HostMessage))
