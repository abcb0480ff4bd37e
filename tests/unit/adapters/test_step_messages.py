"""Messages of the step queue: what this node signed, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import serialization

from phems.adapters.celery.app import PRIORITIES, level_of
from phems.adapters.celery.messages import ForgedMessageError, MessageSigner, attempt_named, name_of

SIGNER = MessageSigner(b"k" * 32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_signed_is_read(body: Any) -> None:
    assert SIGNER.read(SIGNER.write(body)) == body


@given(JSON, st.data())
def test_a_message_one_character_different_is_refused(body: Any, data: st.DataObject) -> None:
    """Otherwise who reaches the broker starts the step that they like."""
    written = SIGNER.write(body)
    place = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda one: one != written[place]))
    changed = written[:place] + other + written[place + 1 :]
    try:
        read = SIGNER.read(changed)
    except ForgedMessageError:
        return
    assert read == body  # a space more, say, between what was signed and its signature


@given(st.binary(max_size=300) | st.text(max_size=300) | JSON.map(json.dumps))
def test_what_nobody_signed_is_refused(raw: bytes | str) -> None:
    with pytest.raises(ForgedMessageError):
        SIGNER.read(raw)


def test_another_node_s_message_is_refused() -> None:
    with pytest.raises(ForgedMessageError, match="signature"):
        SIGNER.read(MessageSigner(b"x" * 32).write([]))


def test_two_nodes_of_one_process_sign_with_a_key_each() -> None:
    """Otherwise the last node that a process opens signs for the others, whose workers drop it all."""
    other = MessageSigner(b"x" * 32)
    SIGNER.register()
    other.register()
    for signer in (SIGNER, other):
        _, _, written = serialization.dumps(["a body"], serializer=signer.serializer)
        assert signer.read(written) == ["a body"]


def test_a_message_longer_than_any_is_not_looked_into() -> None:
    with pytest.raises(ForgedMessageError, match="longer"):
        SIGNER.read(SIGNER.write("x" * 70_000))


def test_an_attempt_is_named_and_read() -> None:
    assert attempt_named(name_of("run", "step", 2)) == ("run", "step", 2)


@pytest.mark.parametrize(
    "content", [None, [], {}, {"run_id": "r", "step_key": "s"}, {"run_id": 1, "step_key": "s", "attempt": 1}]
)
def test_content_that_names_no_attempt_is_refused(content: object) -> None:
    with pytest.raises(ForgedMessageError, match="no attempt"):
        attempt_named(content)


@given(st.integers(-200, 200), st.integers(-200, 200))
def test_a_larger_priority_is_never_later(one: int, other: int) -> None:
    assert 0 <= level_of(one) < PRIORITIES
    if one < other:
        assert level_of(one) <= level_of(other)
