"""Policy versions: what a node is held to, numbered, so that a decision can name the rules it was made under.

Each project has versions of its own, and so has the node as a whole (the scope with the empty name): a change
in one project leaves the capsules of another as they are. A version that loosens a rule waits, PENDING, for a
second person; until then the last one IN_FORCE stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from phems.domain.actors import LOCAL_OPERATOR
from phems.domain.canonical import digest
from phems.domain.permissions import Role
from phems.domain.state_tables import StateTable, Transition
from phems.errors import RefusedError

SHOWN_DIGITS = 12
NODE_SCOPE = ""
"""The scope of what holds for the whole node: its roles, organisations and data sources."""


class PolicyState(StrEnum):
    """Where a policy version stands; at most one of a scope is PENDING, at most one IN_FORCE."""

    PENDING = "PENDING"
    IN_FORCE = "IN_FORCE"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


class PolicyAction(StrEnum):
    """What can be done to a policy version."""

    PROPOSE = "propose"
    ADOPT = "adopt"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    REPLACE = "replace"


_S, _A = PolicyState, PolicyAction
_SECOND = "Information Asset Owner or Operator, not the proposer"

POLICY_VERSIONS = StateTable(
    "policy version",
    (
        Transition(None, _A.PROPOSE, _S.PENDING, "node", "node.yaml loosens a rule"),
        Transition(None, _A.ADOPT, _S.IN_FORCE, "node", "node.yaml loosens nothing, or the node is new"),
        Transition(_S.PENDING, _A.APPROVE, _S.IN_FORCE, _SECOND),
        Transition(_S.PENDING, _A.REJECT, _S.REJECTED, _SECOND),
        Transition(_S.PENDING, _A.WITHDRAW, _S.WITHDRAWN, "node", "node.yaml was changed again"),
        Transition(_S.IN_FORCE, _A.REPLACE, _S.REPLACED, "node", "a newer one came into force"),
    ),
)


@dataclass(frozen=True)
class PolicyVersion:
    """Rules as they stood; `content` is JSON, `digest` that of its canonical form."""

    number: int
    digest: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """How audit entries and packages name it: the number, and enough of the digest to tell forgeries."""
        return f"{self.number}:{self.digest[:SHOWN_DIGITS]}"


UNVERSIONED = PolicyVersion(0, digest({}), {})
"""What a project is held to before its first version is on record: there are rules, but no number."""


@dataclass(frozen=True, kw_only=True)
class PolicyRecord:
    """A version of a scope, and what became of it."""

    scope: str
    version: PolicyVersion
    state: PolicyState
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """What people read: "3 of heart-attack", "1 of the node"."""
        return f"{self.version.number} of {self.scope or 'the node'}"


def next_record(
    scope: str, number: int, content: Mapping[str, Any], action: PolicyAction, *, by: str, at: datetime
) -> PolicyRecord:
    """A new version after `propose` or `adopt`. One that is adopted was decided by whoever proposed it."""
    state = POLICY_VERSIONS.after(None, action, name=str(number), remedy="")
    adopted = state is PolicyState.IN_FORCE
    return PolicyRecord(
        scope=scope,
        version=PolicyVersion(number, digest(content), content),
        state=state,
        proposed_by=by,
        proposed_at=at,
        decided_by=by if adopted else None,
        decided_at=at if adopted else None,
    )


def moved(
    record: PolicyRecord, action: PolicyAction, *, by: str, at: datetime, reason: str = ""
) -> PolicyRecord:
    """The version after `approve`, `reject`, `withdraw` or `replace`; `replace` keeps who decided on it."""
    remedy = f"See the versions: phems policy list{option(record.scope)}"
    state = POLICY_VERSIONS.after(record.state, action, name=record.name, remedy=remedy)
    if action is PolicyAction.REPLACE:
        return replace(record, state=state)
    return replace(record, state=state, decided_by=by, decided_at=at, reason=reason)


def check_second_person(record: PolicyRecord, person: str, roles: Collection[Role]) -> None:
    """Raise `RefusedError` unless `person` is certainly another one than who proposed the version.

    Whoever starts the node is `local-operator`, whoever that is. An operator may be the same person, so that
    an operator confirms only what was proposed under a name.
    """
    owner = f"an Information Asset Owner of {record.scope or 'a project'}"
    if person == record.proposed_by:
        raise RefusedError(
            f"{person} cannot confirm or reject policy version {record.name}.",
            why=f"{person} has proposed it, and it loosens a rule: that takes two people.",
            remedy=f"Ask {owner}: phems policy approve{option(record.scope)} {record.version.number}",
        )
    anonymous = record.proposed_by == LOCAL_OPERATOR.name
    if anonymous and Role.INFORMATION_ASSET_OWNER not in roles:
        raise RefusedError(
            f"{person} cannot confirm or reject policy version {record.name}.",
            why="it was proposed by whoever started the node, who may be the same operator.",
            remedy=f"Ask {owner}; or propose it under your name, and have another operator confirm it: "
            "phems policy reload",
        )


def option(scope: str) -> str:
    """How a command names a scope."""
    return f" --project {scope}" if scope else ""
