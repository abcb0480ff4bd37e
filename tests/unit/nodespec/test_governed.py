"""What of node.yaml is governed, and that the way there and back loses nothing."""

from __future__ import annotations

from typing import Any

from phems.nodespec import NodeSpec, Policy, Project
from phems.nodespec.governed import complete, contents_of, granted_anew, granted_less, in_force

SPEC: dict[str, Any] = {
    "version": 1,
    "node": {"name": "node-a"},
    "controller": {"name": "Hospital A"},
    "roles": {"operator": ["olga"]},
    "organisations": {"hospital": ["ida", "ivo"], "university": ["ana"]},
    "policies": {"strict": {"sandbox": "required", "approve": "capsule", "file_types": ["png", "csv"]}},
    "data_sources": {
        "patients": {"path": "p.csv", "format": "csv", "title": "Patients", "owner": "ida"},
        "weather": {"path": "w.csv", "format": "csv", "version": "2026"},
    },
    "projects": {
        "heart": {
            "code": {"repo": "code", "branch": "trunk", "root": "lib"},
            "policy": "strict",
            "members": {"data_analyst": ["ana"], "information_asset_owner": ["ivo", "ida"]},
            "data_grants": [{"source": "patients", "expires": "2027-01-31"}],
            "queue": {"runs": 3},
        },
        "breast": {"code": {"repo": "other"}, "data_grants": [{"source": "weather"}]},
    },
}
# What an operator may set alone: where things lie and listen, how much of the machine a project gets, what
# checks the outside. A field in none of the three is one that nobody has thought about.
OPERATORS_OWN = {
    *("version", "node", "controller", "profile", "data_dir", "release_zone", "gateway", "database"),
    # Steps are handed to workers by it; messages are signed, and say nothing that a worker goes by.
    "broker",
    # An anchor that is told nothing any more is itself the witness of that.
    "audit",
    # How long a sign-in lasts loosens nothing that a token does not do already.
    "identity",
    # Where files lie, as data_dir and release_zone.
    "storage",
    # Which machines steps run on, and how large: as environment.python and resources are.
    "kubernetes",
    "gitops",
    # Packages are taken by the hashes that approved code names: an index can withhold one, not change it.
    "environments",
    # What lineage tells, and what the node logs, is held to rules in its code, wherever it goes.
    "lineage",
    "log",
    # What is sent holds no data, whoever it goes to.
    "notifications",
    "telemetry",
    # Numbers, which no text of project code is among.
    "workers",
}
GOVERNED = {"roles", "organisations", "policies", "data_sources", "projects"}
OF_A_PROJECT = {"policy", "members", "data_grants", "code"}
OPERATORS_OWN_OF_A_PROJECT = {
    "mlflow",
    "title",
    "queue",
    "resources",
    "environment",
    "kubernetes",
    "retention",
}


def spec(**changes: Any) -> NodeSpec:
    return NodeSpec.model_validate({**SPEC, **changes})


def test_every_part_of_the_node_spec_is_governed_or_the_operators_own() -> None:
    """Otherwise a new part of node.yaml can loosen something, and nobody is asked."""
    assert set(NodeSpec.model_fields) == OPERATORS_OWN | GOVERNED
    assert set(Project.model_fields) == OF_A_PROJECT | OPERATORS_OWN_OF_A_PROJECT


def test_what_is_in_force_is_what_was_declared_when_all_of_it_is() -> None:
    """Otherwise a confirmed policy is not the one that people read."""
    declared = spec()
    found = in_force(declared, contents_of(declared))
    assert contents_of(found) == contents_of(declared)
    assert found.projects["heart"].code.root == "lib"
    assert found.projects["heart"].queue.runs == 3
    assert found.data_sources["patients"].title == "Patients"
    assert found.policy_of("heart").approve == "capsule"


def test_other_rules_stay_in_force_whatever_is_declared_under_their_name() -> None:
    """Otherwise a policy is loosened through its name, without a new version."""
    contents = contents_of(spec())
    declared = spec(policies={"strict": {"sandbox": "preferred"}}, organisations={}, roles={})
    found = in_force(declared, contents)
    assert found.policy_of("heart").sandbox == "required"
    assert found.roles.operator == ("olga",)
    assert found.organisation_of() == {"ida": "hospital", "ivo": "hospital", "ana": "university"}


def test_a_project_that_is_not_in_force_is_not_there() -> None:
    """Otherwise it runs under rules that nobody has recorded."""
    contents = contents_of(spec())
    found = in_force(spec(), {"heart": contents["heart"]})
    assert list(found.projects) == ["heart"]
    assert found.roles.operator == ("olga",), "without a version the node goes by node.yaml"


def test_a_source_that_is_gone_takes_its_grants_with_it() -> None:
    """Otherwise the node does not start."""
    contents = contents_of(spec())
    contents[""]["data_sources"].pop("patients")
    assert in_force(spec(), contents).projects["heart"].data_grants == ()


def test_a_version_from_before_a_field_has_its_default() -> None:
    """Otherwise an update changes rules, or asks to confirm what nobody has changed."""
    content = contents_of(spec())["heart"]
    older = {**content, "policy": {k: v for k, v in content["policy"].items() if k != "signatures"}}
    assert complete(older)["policy"]["signatures"] == Policy().signatures
    assert complete({}) == {}


def test_hosts_are_told_when_their_data_changes() -> None:
    """Otherwise a project reads what it is no more granted, or not what it is."""
    moved = {**SPEC["data_sources"], "weather": {"path": "v.csv", "format": "csv"}}
    assert granted_anew(spec(), spec(data_sources=moved)) == ["breast"]
    assert granted_anew(spec(), spec()) == []
    assert granted_anew(spec(projects={}), spec()) == []


def test_what_is_taken_away_is_told_from_what_is_added() -> None:
    """Otherwise a sensor reads on what is no more granted, or nobody can launch because more is."""
    heart, breast = SPEC["projects"]["heart"], SPEC["projects"]["breast"]
    both = {**breast, "data_grants": [*breast["data_grants"], {"source": "patients"}]}
    fewer, more = spec(), spec(projects={"heart": heart, "breast": both})
    assert granted_less(fewer, more) == []
    assert granted_less(more, fewer) == ["breast"]
    moved = {**SPEC["data_sources"], "weather": {"path": "v.csv", "format": "csv"}}
    assert granted_less(fewer, spec(data_sources=moved)) == ["breast"]
