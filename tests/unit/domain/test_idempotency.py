"""Which words are idempotency keys."""

from __future__ import annotations

import pytest

from phems.domain.idempotency import parse_key
from phems.errors import InputError


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (["8e03978e-40d5-43dd-bc93-6894a57f9324"], "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (['"8e03978e-40d5-43dd-bc93-6894a57f9324"'], "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (["a" * 255], "a" * 255),
    ],
)
def test_a_key_is_the_same_with_and_without_quotes(given: list[str], key: str) -> None:
    """The draft has them, most clients do not: a retry by another library must not act again."""
    assert parse_key(given) == key


@pytest.mark.parametrize("given", [[""], ['"a'], ["a b"], ["a" * 256], ["é"], ["a", "a"], []])
def test_what_is_no_key_is_refused_and_not_taken_for_none(given: list[str]) -> None:
    """An act that its sender believes to be safe to send again would be done twice."""
    with pytest.raises(InputError, match="cannot be used"):
        parse_key(given)
