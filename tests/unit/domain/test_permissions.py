"""Who may do what: the duties that must lie with different people do."""

from __future__ import annotations

from typing import get_args

import pytest

from phems.domain.permissions import (
    NODE_ROLES,
    PERMISSIONS,
    PROJECT_ROLES,
    Role,
    Verb,
    check_may,
    may,
    roles_of,
)
from phems.errors import RefusedError


def test_every_verb_has_a_row_and_every_role_can_do_something() -> None:
    assert set(PERMISSIONS) == set(get_args(Verb))
    assert frozenset().union(*PERMISSIONS.values()) == PROJECT_ROLES | NODE_ROLES == set(Role)


@pytest.mark.parametrize(
    ("verb", "roles"),
    [
        ("code.submit", {Role.DATA_ANALYST}),
        ("code.approve", {Role.INFORMATION_ASSET_OWNER}),
        ("release.request", {Role.DATA_ANALYST}),
        ("release.vote", {Role.OUTPUT_CHECKER}),
        ("audit.read", {Role.AUDITOR, Role.OPERATOR}),
        ("user.manage", {Role.OPERATOR}),
        ("node.operate", {Role.OPERATOR}),
        ("run.logs", {Role.DATA_ANALYST}),
    ],
)
def test_the_duties_lie_where_the_design_puts_them(verb: Verb, roles: set[Role]) -> None:
    assert {role for role in Role if may([role], verb)} == roles


def test_no_role_both_asks_for_a_release_and_decides_on_it_or_on_code() -> None:
    for asks in ("code.submit", "release.request"):
        for decides in ("code.approve", "release.vote"):
            assert PERMISSIONS[asks].isdisjoint(PERMISSIONS[decides])


def test_an_auditor_looks_on_and_changes_nothing() -> None:
    assert {verb for verb in PERMISSIONS if may([Role.AUDITOR], verb)} == {
        "audit.read",
        "lineage.read",
        "project.read",
    }


def test_one_of_several_roles_is_enough_and_none_is_not() -> None:
    assert may([Role.AUDITOR, Role.OUTPUT_CHECKER], "release.vote")
    assert not may([], "project.read")
    check_may("ada", [Role.OUTPUT_CHECKER], "release.vote", "p")


def test_a_refusal_names_the_role_that_is_needed_and_where_it_is_given() -> None:
    with pytest.raises(RefusedError) as refused:
        check_may("ada", [Role.DATA_ANALYST], "code.approve", "heart-attack")
    assert "ada may not do code.approve in heart-attack" in refused.value.what
    assert "Information Asset Owner; ada has Data Analyst in heart-attack" in refused.value.why
    assert "projects.heart-attack.members.information_asset_owner" in refused.value.remedy


def test_a_refusal_of_a_node_wide_verb_names_the_node_s_roles() -> None:
    with pytest.raises(RefusedError) as refused:
        check_may("ada", [], "audit.read")
    assert "Auditor or Operator; ada has no role." in refused.value.why
    assert "roles.auditor or roles.operator" in refused.value.remedy


def test_roles_are_gathered_from_the_node_and_the_project() -> None:
    node = {Role.OPERATOR: ("olga",), Role.AUDITOR: ("ada",)}
    project = {Role.DATA_ANALYST: ("ada", "ben"), Role.OUTPUT_CHECKER: ()}
    assert roles_of("ada", node, project) == {Role.AUDITOR, Role.DATA_ANALYST}
    assert roles_of("olga", node) == {Role.OPERATOR}
    assert roles_of("eve", node, project) == frozenset()
