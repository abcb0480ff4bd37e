"""Who acts."""

from __future__ import annotations

import dataclasses

import pytest

from phems.domain.actors import LOCAL_OPERATOR, NODE, Actor


def test_an_actor_is_a_person_unless_said_otherwise_and_reads_as_their_name() -> None:
    assert Actor("ada") == Actor("ada", "person")
    assert str(Actor("ada")) == "ada"
    assert NODE.kind == "system"
    assert LOCAL_OPERATOR.kind == "person"


def test_an_actor_cannot_become_someone_else_on_the_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Actor("ada").name = "eve"  # type: ignore[misc]
