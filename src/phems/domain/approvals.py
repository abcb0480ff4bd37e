"""Approvals: what an approver signs, and whether the approvals there are suffice.

An approver signs a statement: RFC 8785 JSON that names the node, the thing, its digest, the decision, the
person, the moment and the policy version. A signature therefore holds for nothing else: not for other bytes,
not for another turn, person or node. Ed25519 (RFC 8032) over these bytes; how, is the adapter's matter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from phems.domain.audit import timestamp
from phems.domain.canonical import canonical


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What is signed. `what` is the verb (`code.approve`), `subject` names the thing, its turn included."""

    what: str
    subject: str
    digest: str
    decision: str
    by: str
    at: datetime
    policy_version: str

    def signed_bytes(self, node: str) -> bytes:
        """What the signature covers; `node` is the name of the node, so that it holds there alone."""
        return canonical(
            {
                "phems": "approval 1",
                "node": node,
                "what": self.what,
                "subject": self.subject,
                "digest": self.digest,
                "decision": self.decision,
                "by": self.by,
                "at": timestamp(self.at),
                "policy_version": self.policy_version,
            }
        )


@dataclass(frozen=True)
class Signature:
    """A signature and the key that made it: 16 hex digits, and base64."""

    key_id: str
    signature: str


@dataclass(frozen=True)
class Approval:
    """One approver's word on a code revision, in one turn."""

    approver: str
    at: datetime
    turn: int
    note: str = ""
    policy_version: str = ""
    signature: Signature | None = None


@dataclass(frozen=True, kw_only=True)
class ApprovalRules:
    """What a policy asks of approvals: how many, signed or not, from how many organisations."""

    needed: int
    unsigned_count: bool = False
    different_organisations: bool = False
    organisations: Mapping[str, str] = field(default_factory=dict)
    """A person's organisation; with `different_organisations`, who has none does not count."""

    def no_looser_than(self, others: ApprovalRules) -> ApprovalRules:
        """Both rules at once: what either asks for is asked for."""
        return ApprovalRules(
            needed=max(self.needed, others.needed),
            unsigned_count=self.unsigned_count and others.unsigned_count,
            different_organisations=self.different_organisations or others.different_organisations,
            organisations={
                person: name
                for person, name in self.organisations.items()
                if others.organisations.get(person) == name
            },
        )

    def count(self, approvers: Collection[str]) -> int:
        """How many of the approvals needed these people give."""
        people = frozenset(approvers)
        if self.different_organisations:
            return len({self.organisations[name] for name in people if name in self.organisations})
        return len(people)

    def suffice(self, approvers: Collection[str]) -> bool:
        """Whether these people are enough; no policy can do without any."""
        return self.count(approvers) >= max(1, self.needed)

    def progress(self, approvers: Collection[str]) -> str:
        """How far it is, for people: "1 of 2 approvals, each from another organisation"."""
        apart = ", each from another organisation" if self.different_organisations else ""
        return f"{self.count(approvers)} of {max(1, self.needed)} approvals{apart}"
