"""Who people are, in node.yaml: no secret stands in it, and what groups may do is governed as names are."""

from __future__ import annotations

import pytest

from phems.domain.policy_changes import changes, without_loosening
from phems.nodespec import check_text, parse_node
from phems.nodespec.governed import in_force, node_content

HEAD = """\
version: 1
node: {name: n}
controller: {name: c}
projects:
  p: {code: {repo: r}, members: {output_checker: [a, b], information_asset_owner: [c]}}
"""
OIDC = "{issuer: 'https://login.example', client_id: phems, client_secret: 'env:SECRET'}"


def found(identity: str) -> str:
    """What is wrong with a node.yaml that has this identity section."""
    return "\n".join(str(problem) for problem in check_text(HEAD + identity))


def test_a_provider_with_groups_is_accepted() -> None:
    assert found(f"identity: {{oidc: {OIDC}, groups: {{g: {{projects: {{p: [data_analyst]}}}}}}}}\n") == ""


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (f"identity: {{oidc: {OIDC.replace('env:SECRET', 'hunter2')}}}", "the secret stands in node.yaml"),
        (f"identity: {{oidc: {OIDC.replace('https://', 'http://')}}}", "not the address of an identity"),
        (f"identity: {{oidc: {OIDC}}}".replace("phems", "two words"), "is not one word"),
        (f"identity: {{oidc: {OIDC[:-1]}, scopes: [profile]}}}}", "scopes lacks openid"),
        ("identity: {local: false}", "nobody can sign in"),
        (f"identity: {{oidc: {OIDC}, groups: {{g: {{projects: {{q: [data_analyst]}}}}}}}}", "no project q"),
        (f"identity: {{oidc: {OIDC}, groups: {{g: {{roles: [auditor, operator]}}}}}}", "another role"),
        ("identity: {groups: {g: {roles: [operator]}}}", "nobody says who is in them"),
    ],
)
def test_what_cannot_be_meant_is_told(identity: str, told: str) -> None:
    problems = found(identity + "\n")
    assert told in problems
    assert "hunter2" not in problems


def test_how_many_people_a_group_has_is_the_providers_to_know() -> None:
    """A project whose checkers are a group would otherwise never pass the check."""
    few = HEAD.replace("[a, b]", "[]").replace("[c]", "[]")
    groups = "{g: {projects: {p: [output_checker, information_asset_owner]}}}"
    parse_node(f"{few}identity: {{oidc: {OIDC}, groups: {groups}}}\n")


def test_a_group_that_gives_more_waits_for_a_second_person() -> None:
    """Otherwise one operator gives themselves every role by way of a group."""
    before = parse_node(f"{HEAD}identity: {{oidc: {OIDC}}}\n")
    groups = "{g: {roles: [operator], projects: {p: [data_analyst]}}, a: {roles: [auditor]}}"
    after = parse_node(f"{HEAD}identity: {{oidc: {OIDC}, groups: {groups}}}\n")
    loosening = {
        change.path for change in changes(node_content(before), node_content(after)) if change.loosens
    }
    assert loosening == {
        ("groups", "g", "roles", "operator"),
        ("groups", "g", "projects", "p", "data_analyst"),
    }
    at_once = without_loosening(node_content(before), node_content(after))
    spec = in_force(after, {"": at_once})
    assert spec.identity.groups["g"].roles == ()
    assert spec.identity.groups["a"].roles == ("auditor",)
    assert in_force(after, {"": node_content(after)}).identity.groups == after.identity.groups
    assert in_force(after, {"": node_content(before)}).identity.groups == {}


def test_taking_a_role_from_a_group_needs_nobody_else() -> None:
    groups = "{g: {roles: [operator]}}"
    before = parse_node(f"{HEAD}identity: {{oidc: {OIDC}, groups: {groups}}}\n")
    after = parse_node(f"{HEAD}identity: {{oidc: {OIDC}}}\n")
    assert not [change for change in changes(node_content(before), node_content(after)) if change.loosens]


def test_a_second_factor_is_for_who_wants_one_or_for_everybody() -> None:
    assert found("identity: {second_factor: required}\n") == ""
    assert "second_factor" in found("identity: {second_factor: off}\n")
    assert parse_node(HEAD).identity.second_factor == "optional"
