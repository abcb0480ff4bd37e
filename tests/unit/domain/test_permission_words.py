"""Every permission has its words: a page that explains what people may do must not leave one out."""

from __future__ import annotations

from phems.domain.permission_words import WORDS, about
from phems.domain.permissions import PERMISSIONS


def test_every_verb_has_words_in_the_order_of_the_table() -> None:
    assert list(WORDS) == list(PERMISSIONS)


def test_no_two_verbs_have_the_same_words() -> None:
    """Otherwise somebody could not tell what a role adds."""
    assert len(set(WORDS.values())) == len(WORDS)


def test_every_verb_is_about_something() -> None:
    assert {about(verb) for verb in PERMISSIONS} >= {"Projects", "Outputs and releases", "The node"}
