"""Governed governance: node.yaml becomes versions, and what loosens a rule takes two people."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.governance.governed_site import SetClock

from phems.adapters.approver_keys import FolderApproverKeys
from phems.adapters.postgres.database import Database
from phems.adapters.postgres.unit_of_work import PostgresGovernance
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.audit import Entry
from phems.domain.permissions import Role, roles_of
from phems.domain.policy_versions import NODE_SCOPE, UNVERSIONED, PolicyState
from phems.errors import InputError, IntegrityError, NotFoundError, PhemsError, RefusedError
from phems.nodespec import NodeSpec
from phems.nodespec.governed import contents_of, granted_anew, in_force
from phems.services.approval_signatures import ApprovalSignatures
from phems.services.policies import Policies, Waiting

HEART, BREAST = "heart-attack", "breast-cancer"
IDA, OLGA, OSCAR, UMA, ANA = Actor("ida"), Actor("olga"), Actor("oscar"), Actor("uma"), Actor("ana")
SPEC: dict[str, Any] = {
    "version": 1,
    "node": {"name": "node-a"},
    "controller": {"name": "Hospital A"},
    "roles": {"operator": ["olga", "oscar"], "auditor": ["uma"]},
    "data_sources": {
        "patients": {"path": "patients.csv", "format": "csv"},
        "weather": {"path": "weather.csv", "format": "csv"},
    },
    "projects": {
        HEART: {
            "code": {"repo": "heart"},
            "members": {
                "data_analyst": ["ana"],
                "output_checker": ["chris", "cara"],
                "information_asset_owner": ["ida"],
            },
            "data_grants": [{"source": "patients"}],
        }
    },
}


class GovernedNode:
    """A node's policy versions over a real database: what a start, a reload and people do."""

    def __init__(self, governance: PostgresGovernance, keys: Path) -> None:
        self.governance = governance
        clock = SetClock()
        self.signatures = ApprovalSignatures("node-a", FolderApproverKeys(keys), clock)
        self.policies = Policies(governance, self.roles_in, self.signatures, clock)
        self.declared = copy.deepcopy(SPEC)

    @property
    def spec(self) -> NodeSpec:
        """The node spec in force."""
        versions = self.policies.in_force()
        return in_force(
            NodeSpec.model_validate(self.declared),
            {scope: version.content for scope, version in versions.items()},
        )

    def roles_in(self, name: str, scope: str) -> frozenset[Role]:
        spec = self.spec
        node_wide = {Role.OPERATOR: spec.roles.operator, Role.AUDITOR: spec.roles.auditor}
        projects = (
            [spec.projects[scope]] if scope in spec.projects else [] if scope else spec.projects.values()
        )
        members = [
            {Role(role): people for role, people in project.members if role != "coordinator"}
            for project in projects
        ]
        return roles_of(name, node_wide, *members)

    def start(self, by: Actor = LOCAL_OPERATOR, *, ask_again: bool = False) -> list[Waiting]:
        spec = NodeSpec.model_validate(self.declared)
        return list(self.policies.take_up(by, contents_of(spec), ask_again=ask_again))

    def entries(self, action: str) -> list[Entry]:
        with self.governance.transaction() as work:
            return [entry for entry in work.audit.entries() if entry.action == action]


@pytest.fixture
def node(governance: PostgresGovernance, tmp_path: Path) -> GovernedNode:
    """A node that has been started once."""
    found = GovernedNode(governance, tmp_path / "keys")
    assert found.start() == []
    return found


def loosen(node: GovernedNode) -> None:
    """One vote fewer would not be allowed; a checker more, and larger files, are."""
    node.declared["projects"][HEART]["members"]["output_checker"].append("eve")
    node.declared["policies"] = {"default": {"max_file_size": "1GiB"}}


def test_the_first_versions_confirm_themselves_and_say_so(node: GovernedNode) -> None:
    """Otherwise a new node could not start, or nobody could tell what it started from."""
    with node.governance.transaction() as work:
        version = work.policies.current(HEART)
        assert work.policies.current("no-such-project") == UNVERSIONED
    assert version.number == 1
    assert version.label == f"1:{version.digest[:12]}"
    adopted = node.entries("policy.adopt")
    assert [entry.subject for entry in adopted] == ["node/1", f"{HEART}/1"]
    assert adopted[1].details["is_first"] is True
    assert adopted[1].details["content"]["members"]["information_asset_owner"] == ["ida"]


def test_a_start_without_a_change_leaves_no_trace(node: GovernedNode) -> None:
    """Otherwise the versions tell when the node was started, and not when its rules changed."""
    before = len(node.entries("policy.adopt"))
    assert node.start() == []
    assert len(node.entries("policy.adopt")) == before
    assert node.policies.in_force()[HEART].number == 1


def test_the_order_of_names_is_no_change(node: GovernedNode) -> None:
    """Otherwise a tidied node.yaml makes every approved capsule another."""
    node.declared["projects"][HEART]["members"]["output_checker"].reverse()
    assert node.start() == []
    assert node.policies.in_force()[HEART].number == 1


def test_what_loosens_a_rule_waits_for_a_second_person(node: GovernedNode) -> None:
    """Otherwise whoever edits node.yaml makes themselves a checker."""
    loosen(node)
    (waiting,) = node.start()
    assert {".".join(change.path) for change in waiting.loosens} == {
        "members.output_checker.eve",
        "policy.max_file_size",
    }
    assert "phems policy approve --project heart-attack 2" in waiting.as_text()
    assert "eve" not in node.spec.projects[HEART].members.output_checker
    assert node.spec.policy_of(HEART).max_file_size == 50 * 1024**2
    assert node.start() == [waiting], "a second start does not propose it twice"
    assert node.policies.waiting() == [waiting]

    record = node.policies.approve(IDA, HEART, waiting.number)
    assert record.state is PolicyState.IN_FORCE
    assert "eve" in node.spec.projects[HEART].members.output_checker
    assert node.spec.policy_of(HEART).max_file_size == 1024**3
    assert node.start() == []
    assert node.policies.waiting() == []
    (entry,) = node.entries("policy.approve")
    assert entry.actor == "ida"
    assert entry.details["before"].startswith("1:")
    assert entry.details["after"].startswith("2:")
    assert entry.details["signature"]
    told = {change["field"]: change for change in entry.details["changes"]}
    assert told["policy.max_file_size"]["before"] == 50 * 1024**2
    assert told["policy.max_file_size"]["after"] == 1024**3
    assert [r.state for r in node.policies.list(IDA, HEART)] == [PolicyState.IN_FORCE, PolicyState.REPLACED]


def test_what_tightens_is_in_force_at_once_though_the_rest_waits(node: GovernedNode) -> None:
    """Otherwise somebody who was taken out keeps reading, until another change is confirmed."""
    loosen(node)
    node.declared["projects"][HEART]["members"]["data_analyst"] = []
    (waiting,) = node.start()
    assert node.spec.projects[HEART].members.data_analyst == ()
    assert "eve" not in node.spec.projects[HEART].members.output_checker
    assert node.policies.in_force()[HEART].number == 2
    assert waiting.number == 3
    assert node.start() == [waiting]
    node.policies.approve(IDA, HEART, 3)
    assert "eve" in node.spec.projects[HEART].members.output_checker


def test_a_change_that_is_taken_back_waits_no_more(node: GovernedNode) -> None:
    """Otherwise it could be confirmed long after nobody wants it."""
    loosen(node)
    (waiting,) = node.start()
    node.declared = copy.deepcopy(SPEC)
    assert node.start() == []
    with pytest.raises(RefusedError, match="cannot take"):
        node.policies.approve(IDA, HEART, waiting.number)


def test_a_rejected_version_is_not_asked_for_at_every_start(node: GovernedNode) -> None:
    """Otherwise a refusal lasts until the next start."""
    loosen(node)
    (waiting,) = node.start()
    with pytest.raises(InputError):
        node.policies.reject(IDA, HEART, waiting.number, reason=" ")
    node.policies.reject(IDA, HEART, waiting.number, reason="Eve is leaving.")
    (still,) = node.start()
    assert still.state is PolicyState.REJECTED
    assert "rejected" in still.as_text()
    assert node.policies.waiting() == []
    (again,) = node.start(OLGA, ask_again=True)
    assert again.state is PolicyState.PENDING
    assert again.number == waiting.number + 1


@pytest.mark.parametrize(
    ("proposer", "second", "why"),
    [
        (LOCAL_OPERATOR, OLGA, "may be the same operator"),
        (OLGA, OLGA, "has proposed it"),
        (LOCAL_OPERATOR, ANA, "needs the role"),
        (LOCAL_OPERATOR, UMA, "needs the role"),
        (LOCAL_OPERATOR, Actor("eve"), "no such project"),
    ],
)
def test_who_is_no_second_person(node: GovernedNode, proposer: Actor, second: Actor, why: str) -> None:
    """Otherwise one person loosens a rule alone: an operator who acts as nobody, or whoever it is about."""
    loosen(node)
    (waiting,) = node.start(proposer)
    for act in (
        lambda: node.policies.approve(second, HEART, waiting.number),
        lambda: node.policies.reject(second, HEART, waiting.number, reason="No."),
    ):
        with pytest.raises(PhemsError) as refused:
            act()
        assert why in f"{refused.value.what} {refused.value.why}"
    assert "eve" not in node.spec.projects[HEART].members.output_checker


def test_another_operator_confirms_what_one_proposed_by_name(node: GovernedNode) -> None:
    """Otherwise a project whose only owner has left could never be changed again."""
    loosen(node)
    (waiting,) = node.start(OLGA)
    node.policies.approve(OSCAR, HEART, waiting.number)
    assert "eve" in node.spec.projects[HEART].members.output_checker


def test_a_refused_confirmation_is_on_record(node: GovernedNode) -> None:
    """Otherwise nobody learns who tried."""
    loosen(node)
    (waiting,) = node.start()
    with pytest.raises(RefusedError):
        node.policies.approve(OLGA, HEART, waiting.number)
    (entry,) = node.entries("policy.approve")
    assert (entry.actor, entry.result) == ("olga", "refused")


def test_a_new_project_has_its_people_at_once_and_its_data_when_confirmed(node: GovernedNode) -> None:
    """Otherwise an operator gives data to a project of their own, alone; or a project could not begin."""
    node.declared["projects"][BREAST] = {
        **copy.deepcopy(SPEC["projects"][HEART]),
        "code": {"repo": "breast"},
        "data_grants": [{"source": "weather"}],
    }
    (waiting,) = node.start()
    assert waiting.scope == BREAST
    assert node.spec.projects[BREAST].members.information_asset_owner == ("ida",)
    assert node.spec.projects[BREAST].data_grants == ()
    before = node.spec
    node.policies.approve(IDA, BREAST, waiting.number)
    assert [grant.source for grant in node.spec.projects[BREAST].data_grants] == ["weather"]
    assert granted_anew(before, node.spec) == [BREAST]


def test_what_holds_for_the_node_is_confirmed_by_an_owner(node: GovernedNode) -> None:
    """Otherwise an operator makes operators, or puts another file in the place of a granted one."""
    node.declared["roles"]["operator"].append("eve")
    node.declared["data_sources"]["patients"]["path"] = "everyone.csv"
    (waiting,) = node.start()
    assert waiting.scope == NODE_SCOPE
    assert "phems policy approve 2" in waiting.as_text()
    assert node.spec.roles.operator == ("olga", "oscar")
    assert node.spec.data_sources["patients"].path == "patients.csv"
    with pytest.raises(RefusedError):
        node.policies.approve(OLGA, NODE_SCOPE, waiting.number)
    node.policies.approve(IDA, NODE_SCOPE, waiting.number)
    assert node.spec.roles.operator == ("eve", "olga", "oscar")
    assert node.spec.data_sources["patients"].path == "everyone.csv"


def test_a_node_without_data_is_set_up_by_one_person(governance: PostgresGovernance, tmp_path: Path) -> None:
    """Otherwise a node that was started once before it had projects could never be given any."""
    node = GovernedNode(governance, tmp_path / "keys")
    node.declared["projects"] = {}
    assert node.start() == []
    node.declared["roles"]["operator"].append("otto")
    assert node.start() == []
    assert "otto" in node.spec.roles.operator


def test_a_grant_whose_source_is_gone_gives_nothing(node: GovernedNode) -> None:
    """Otherwise a source that is taken out of node.yaml keeps the node from starting."""
    node.declared["data_sources"].pop("patients")
    node.declared["projects"][HEART]["data_grants"] = []
    assert node.start() == []
    assert node.spec.projects[HEART].data_grants == ()


def test_a_diff_says_what_changes_and_what_of_it_loosens(node: GovernedNode) -> None:
    """Otherwise a second person confirms what they cannot see."""
    loosen(node)
    node.declared["projects"][HEART]["members"]["data_analyst"] = []
    (waiting,) = node.start()
    pending = node.policies.diff(IDA, HEART, waiting.number).as_json()
    assert (pending["before"], pending["after"]) == (2, 3)
    assert all(change["loosens"] for change in pending["changes"])
    past = node.policies.diff(IDA, HEART, 2).as_json()
    assert [change["field"] for change in past["changes"]] == ["members.data_analyst.ana"]
    first = node.policies.diff(IDA, HEART, 1)
    assert first.before == 0
    assert node.policies.show(IDA, HEART).version.number == 2
    assert node.policies.show(IDA, HEART, 1).state is PolicyState.REPLACED
    with pytest.raises(NotFoundError):
        node.policies.show(IDA, HEART, 99)
    with pytest.raises(NotFoundError):
        node.policies.list(Actor("eve"), HEART)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE governance.policy_versions SET content = '{}'",
        "UPDATE governance.policy_versions SET number = 7",
        "DELETE FROM governance.policy_versions",
        "TRUNCATE governance.policy_versions",
    ],
)
def test_a_version_is_never_changed(node: GovernedNode, database: Database, tampering: str) -> None:
    """Otherwise the rules of a past decision are what somebody makes of them today."""
    with pytest.raises(DBAPIError), database.engine("governance").begin() as connection:
        connection.execute(text(tampering))


def test_a_version_that_was_changed_all_the_same_is_not_followed(
    node: GovernedNode, database: Database
) -> None:
    """Otherwise who may alter tables may alter rules, unseen."""
    with database.engine("admin").begin() as connection:
        connection.execute(
            text("ALTER TABLE governance.policy_versions DISABLE TRIGGER policy_content_stays")
        )
        connection.execute(
            text(
                "UPDATE governance.policy_versions SET content = replace(content, 'chris', 'eve') "
                "WHERE scope = :scope"
            ),
            {"scope": HEART},
        )
    with pytest.raises(IntegrityError, match="not what was adopted"):
        node.policies.in_force()


def test_two_starts_at_once_make_one_version(node: GovernedNode) -> None:
    """Otherwise the same change stands twice, once confirmed and once not."""
    loosen(node)
    with ThreadPoolExecutor(4) as pool:
        found = [each.result() for each in [pool.submit(node.start) for _ in range(4)]]
    assert len({waiting[0].number for waiting in found}) == 1
    assert len(node.entries("policy.propose")) == 1
