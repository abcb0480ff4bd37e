"""Coordinators: who is one, for which projects, and for how long a token may last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from phems.domain import sign_in
from phems.domain.actors import Actor
from phems.domain.coordinators import (
    COORDINATOR_TOKEN_PREFIX,
    LONGEST_LIFETIME,
    check_lifetime,
    check_named,
    coordinator_actor,
    name_of_coordinator,
    projects_of,
)
from phems.errors import InputError, NotFoundError

NAMED = {"heart-attack": ("hub", "registry"), "breast-cancer": ("registry",), "readmission": ()}


def test_a_coordinator_sees_the_projects_that_name_it_and_no_other() -> None:
    """Otherwise one federation is handed what was released to another."""
    assert projects_of("hub", NAMED) == {"heart-attack"}
    assert check_named("registry", NAMED) == {"heart-attack", "breast-cancer"}
    assert projects_of("stranger", NAMED) == frozenset()


def test_no_token_is_made_for_who_is_named_nowhere() -> None:
    """A misspelt name would get a token that nobody knows the meaning of."""
    with pytest.raises(NotFoundError, match="stranger") as refused:
        check_named("stranger", NAMED)
    assert "node.yaml" in refused.value.remedy


def test_no_user_can_have_a_coordinators_name_in_the_audit_log() -> None:
    """Otherwise somebody signs up as one, and the log cannot tell them apart."""
    actor = coordinator_actor("hub")
    assert actor.kind == "system"
    with pytest.raises(InputError):
        sign_in.check_name(actor.name)


def test_a_person_is_never_taken_for_a_coordinator() -> None:
    """A user called like one would be handed what was released to it."""
    assert name_of_coordinator(coordinator_actor("hub")) == "hub"
    for other in (
        Actor("hub"),
        Actor("coordinator:hub"),
        Actor("hub", "system"),
        Actor("code:hub", "system"),
    ):
        assert projects_of(name_of_coordinator(other), NAMED) == frozenset()


def test_a_token_of_a_coordinator_is_marked_as_one_for_secret_scanners() -> None:
    assert COORDINATOR_TOKEN_PREFIX.startswith(sign_in.TOKEN_PREFIX)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), LONGEST_LIFETIME + timedelta(days=1)])
def test_a_token_is_not_forever(lifetime: timedelta) -> None:
    """A forgotten token would hand out packages for as long as the node runs."""
    with pytest.raises(InputError):
        check_lifetime(lifetime)
    assert check_lifetime(LONGEST_LIFETIME) == LONGEST_LIFETIME
