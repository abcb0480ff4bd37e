"""What a token with a scope is good for: nothing that its user may not do, and less."""

from __future__ import annotations

import pytest

from phems.domain.actors import Actor
from phems.domain.authority import EVERYTHING, Authority, TokenScope, check_unlimited, scope_of
from phems.domain.permissions import (
    READING,
    HeldRole,
    Role,
    ScopedRoles,
    check_may,
    may,
    verbs_held,
)
from phems.errors import InputError, RefusedError

ANALYST = frozenset({Role.DATA_ANALYST})
PROJECTS = ("heart-attack", "breast-cancer")


def test_a_token_for_one_project_has_no_role_in_another_nor_on_the_node() -> None:
    scope = scope_of(["heart-attack"], [], read_only=False, known=PROJECTS)
    assert scope.within(ANALYST, "heart-attack") == ANALYST
    assert scope.within(ANALYST, "breast-cancer") == frozenset()
    assert scope.within(frozenset({Role.OPERATOR}), None) == frozenset()


def test_a_read_only_token_reads_what_its_user_may_read_and_changes_nothing() -> None:
    roles = scope_of([], [], read_only=True, known=PROJECTS).within(ANALYST, "heart-attack")
    assert may(roles, "run.logs")
    assert not may(roles, "run.launch")
    assert not may(roles, "audit.read")
    with pytest.raises(RefusedError) as refused:
        check_may("ana", roles, "run.launch", "heart-attack")
    assert "with this token" in refused.value.what
    with pytest.raises(RefusedError, match="may not do") as refused:
        check_may("ana", roles, "audit.read")
    assert "it needs the role" in refused.value.why


def test_a_token_for_a_verb_is_good_for_that_verb() -> None:
    roles = scope_of([], ["run.launch"], read_only=False, known=PROJECTS).within(ANALYST, "heart-attack")
    assert may(roles, "run.launch")
    assert not may(roles, "release.request")


def test_no_set_operation_lets_a_scope_be_forgotten() -> None:
    """A union somewhere would turn a read-only token into its user."""
    scoped = ScopedRoles(ANALYST, READING)
    made = (
        scoped | ANALYST,
        ANALYST | scoped,
        scoped & ANALYST,
        ANALYST & scoped,
        scoped - {Role.OPERATOR},
        scoped.union(ANALYST, [Role.OPERATOR]),
        scoped.intersection(ANALYST),
        scoped.difference([Role.OPERATOR]),
    )
    for roles in made:
        assert Role.DATA_ANALYST in roles
        assert not may(roles, "run.launch")


def test_what_changes_nothing_is_all_that_reading_is() -> None:
    assert {verb.partition(".")[2] for verb in READING} == {"read", "list", "logs", "download"}


@pytest.mark.parametrize(
    ("projects", "verbs", "read_only", "told"),
    [
        (["nowhere"], [], False, "There is no project 'nowhere'"),
        ([], ["run.fly"], False, "There is no verb 'run.fly'"),
        ([], ["run.launch"], True, "not both"),
    ],
)
def test_a_scope_that_makes_no_sense_is_told(
    projects: list[str], verbs: list[str], read_only: bool, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        scope_of(projects, verbs, read_only=read_only, known=PROJECTS)


def test_a_scope_says_what_it_is() -> None:
    heart = frozenset({"heart-attack"})
    assert str(EVERYTHING) == "everything"
    assert str(TokenScope(heart)) == "everything in heart-attack"
    assert str(TokenScope(heart, READING)) == "reading in heart-attack"
    assert str(TokenScope(None, frozenset({"run.launch"}))) == "run.launch in all projects"


def test_a_limited_token_cannot_change_the_account_it_belongs_to() -> None:
    """It would make itself a token without limits."""
    limited = Authority(Actor("ana"), scope=TokenScope(verbs=READING))
    with pytest.raises(RefusedError, match="cannot make tokens"):
        check_unlimited(limited, "make tokens")
    check_unlimited(Authority(Actor("ana")), "make tokens")
    check_unlimited(None, "make tokens")


def test_why_somebody_may_do_something_is_told_role_by_role() -> None:
    analyst = HeldRole(Role.DATA_ANALYST, "heart-attack", "projects.heart-attack.members.data_analyst")
    operator = HeldRole(Role.OPERATOR, None, "roles.operator")
    inside = verbs_held([analyst, operator], "heart-attack")
    assert inside["run.cancel"] == (analyst, operator)
    assert inside["run.launch"] == (analyst,)
    assert "release.vote" not in inside
    assert set(verbs_held([analyst], None)) == set()
    assert verbs_held([operator], "breast-cancer")["user.manage"] == (operator,)
