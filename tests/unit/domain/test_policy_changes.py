"""What loosens a rule: each governed field in its direction, and what is left when that is taken out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phems.domain.policy_changes import ABSENT, Change, changes, rule_of, without_loosening
from phems.nodespec import NodeSpec
from phems.nodespec.governed import contents_of, node_content, project_content

SPEC = {
    "version": 1,
    "node": {"name": "node-a"},
    "controller": {"name": "Hospital A"},
    "roles": {"operator": ["olga"], "auditor": ["uma"]},
    "organisations": {"hospital": ["ida"], "university": ["ana"]},
    "data_sources": {"patients": {"path": "p.csv", "format": "csv"}},
    "projects": {
        "heart": {
            "code": {"repo": "code"},
            "members": {
                "data_analyst": ["ana"],
                "output_checker": ["chris", "cara"],
                "information_asset_owner": ["ida"],
            },
            "data_grants": [{"source": "patients", "expires": "2027-01-31"}],
        }
    },
}


def test_every_governed_field_has_a_row() -> None:
    """Otherwise a new rule is governed by a default that nobody has chosen."""
    content = {**node_content(spec()), **project_content(spec(), "heart")}
    unknown = [
        change.path for change in changes({}, content) if rule_of(change.path).__name__ == "any_change"
    ]
    assert {path[:1] for path in unknown} <= {("code",), ("organisations",)}, unknown


LOOSER: list[tuple[str, Any, Any]] = [
    ("policy.approvals", 2, 1),
    ("policy.approvals_from_different_organisations", True, False),
    ("policy.approve", "capsule", "code"),
    ("policy.signatures", "required", "optional"),
    ("policy.votes", 3, 2),
    ("policy.sandbox", "required", "preferred"),
    ("policy.file_types.csv", ABSENT, True),
    ("policy.max_file_size", 10, 11),
    ("policy.thresholds.small_cell", 10, 5),
    ("policy.thresholds.zero_cells", "review", "allow"),
    ("policy.thresholds.dominance_n", 2, 1),
    ("policy.thresholds.dominance_k", 80, 90),
    ("policy.thresholds.p_ratio", 10, 5),
    ("policy.thresholds.residual_dof", 10, 5),
    ("policy.thresholds.protection", 10, 5),
    ("policy.thresholds.rows_per_parameter", 10, 5),
    ("policy.checks.on_fail", "block", "justify"),
    ("policy.checks.max_rows", 10, 11),
    ("policy.checks.max_columns", 10, 11),
    ("members.data_analyst.eve", ABSENT, True),
    ("members.output_checker.eve", ABSENT, True),
    ("members.information_asset_owner.eve", ABSENT, True),
    ("members.coordinator.eve", ABSENT, True),
    ("data_grants.patients", ABSENT, "2027-01-31"),
    ("data_grants.patients", ABSENT, None),
    ("data_grants.patients", "2027-01-31", "2027-02-01"),
    ("data_grants.patients", "2027-01-31", None),
    ("roles.operator.eve", ABSENT, True),
    ("data_sources.patients.path", "p.csv", "q.csv"),
    ("data_sources.patients.format", "csv", "parquet"),
    ("data_sources.patients.version", None, "2026-01"),
]


@pytest.mark.parametrize(("field", "before", "after"), LOOSER)
def test_a_change_loosens_in_one_direction_alone(field: str, before: Any, after: Any) -> None:
    """Otherwise a weaker rule is in force without a second person, or a stricter one waits for one."""
    path = tuple(field.split("."))
    assert Change(path, before, after).loosens
    both_ways = path[0] == "data_sources" and path[-1] != "version"
    assert Change(path, after, before).loosens is both_ways


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("code.branch", "main", "other"),
        ("code.repo", "a", "b"),
        ("organisations.ana", ABSENT, "hospital"),
        ("organisations.ana", "hospital", ABSENT),
        ("policy.invented_tomorrow", 1, 2),
        ("policy.sandbox", "required", "invented_tomorrow"),
        ("policy.sandbox", ABSENT, "preferred"),
    ],
)
def test_what_has_no_direction_always_needs_a_second_person(field: str, before: Any, after: Any) -> None:
    """Otherwise a rule that nobody has thought about is changed by one person."""
    assert Change(tuple(field.split(".")), before, after).loosens


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("policy.name", "default", "strict"),
        ("policy.checks.seconds", 10, 60),
        ("roles.auditor.eve", ABSENT, True),
        ("data_sources.new.path", ABSENT, "n.csv"),
        ("data_sources.new.version", ABSENT, "1"),
        ("data_sources.patients.version", "1", "2"),
        ("data_sources.patients.version", "1", ABSENT),
        ("data_grants.patients", None, ABSENT),
    ],
)
def test_what_protects_nothing_needs_nobody(field: str, before: Any, after: Any) -> None:
    """Otherwise people learn to confirm without reading."""
    assert not Change(tuple(field.split(".")), before, after).loosens


def test_what_tightens_holds_at_once_and_what_loosens_does_not() -> None:
    """Otherwise somebody keeps a right that was taken away, because another was given in the same change."""
    before = project_content(spec(), "heart")
    after = {
        **before,
        "members": {**before["members"], "output_checker": ["cara", "eve"], "data_analyst": []},
        "data_grants": {"patients": "2026-12-31", "weather": None},
        "policy": {**before["policy"], "votes": 3, "max_file_size": 10**12},
    }
    held = without_loosening(before, after)
    assert held["members"]["output_checker"] == ["cara"]
    assert held["members"]["data_analyst"] == []
    assert held["data_grants"] == {"patients": "2026-12-31"}
    assert held["policy"]["votes"] == 3
    assert held["policy"]["max_file_size"] == before["policy"]["max_file_size"]


def test_what_was_taken_away_and_needs_two_people_is_put_back() -> None:
    """Otherwise taking a person out of an organisation, or a repository away, is one person's to do."""
    held = without_loosening({"organisations": {}}, {"organisations": {"eve": "lab"}})
    assert held == {"organisations": {}}
    back = without_loosening({"organisations": {"eve": "lab"}}, {"organisations": {}})
    assert back == {"organisations": {"eve": "lab"}}
    assert without_loosening({"code": {"repo": "a"}}, {}) == {"code": {"repo": "a"}}


def test_a_change_is_told_as_json() -> None:
    """Otherwise it cannot be audited."""
    told = Change(("members", "data_analyst", "eve"), ABSENT, True).as_json()
    assert told == {"field": "members.data_analyst.eve", "before": None, "after": True, "loosens": True}
    assert Change(("policy", "votes"), 3, ABSENT).as_json()["after"] is None
    assert repr(ABSENT) == "ABSENT"


PEOPLE = st.lists(st.sampled_from(["ana", "ben", "cara", "dan"]), unique=True).map(sorted)
CONTENTS = st.fixed_dictionaries(
    {
        "members": st.fixed_dictionaries({"output_checker": PEOPLE, "data_analyst": PEOPLE}),
        "data_grants": st.dictionaries(
            st.sampled_from(["a", "b"]), st.sampled_from([None, "2026-01-01", "2027-01-01"])
        ),
        "policy": st.fixed_dictionaries(
            {"votes": st.integers(2, 4), "sandbox": st.sampled_from(["required", "preferred"])}
        ),
    }
)


@given(CONTENTS, CONTENTS)
def test_what_is_left_never_loosens_and_what_waits_always_does(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Otherwise a rule is loosened by one person, through some combination nobody has thought of."""
    held = without_loosening(before, after)
    assert not [change for change in changes(before, held) if change.loosens]
    assert all(change.loosens for change in changes(held, after))
    assert without_loosening(held, after) == held


def spec() -> NodeSpec:
    return NodeSpec.model_validate(SPEC)


def test_the_contents_of_a_spec_are_the_nodes_and_each_projects() -> None:
    """Otherwise a project is governed by nothing."""
    assert list(contents_of(spec())) == ["", "heart"]
