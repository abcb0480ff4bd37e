"""Decisions taken again, from what was kept of them, by the rules of the policy version they name.

Pure: each function answers in the words that the audit log uses for the outcome. What was found out at the
time by looking at keys and files (that a signature verified, that a sandbox was there) is an input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phems.domain.admission import AdmissionInputs, AdmissionRules, refused
from phems.domain.approvals import Approval, ApprovalRules
from phems.domain.code_revisions import CodeRevision, CodeRevisionState, is_author
from phems.domain.releases import CastVote, FrozenFile
from phems.domain.votes import Decision, Vote, file_decision

ADMITTED = "admitted"


@dataclass(frozen=True)
class Replay:
    """A decision on record and the same decision taken again."""

    seq: int
    action: str
    subject: str
    project: str
    policy_version: str
    recorded: str
    replayed: str
    inputs: Mapping[str, Any]

    @property
    def is_same(self) -> bool:
        """Whether both come to the same."""
        return self.recorded == self.replayed

    def as_json(self) -> dict[str, Any]:
        """For the command line and the API."""
        return {**vars(self), "inputs": dict(self.inputs), "is_same": self.is_same}


def recorded_admission(result: str, details: Mapping[str, Any]) -> str:
    """What the audit log says of an admission."""
    return ADMITTED if result == "done" else f"refused: {details['rule']}"


def replayed_admission(inputs: AdmissionInputs, content: Mapping[str, Any]) -> str:
    """Admission, again."""
    refusal = refused(inputs, AdmissionRules.of_content(content))
    return ADMITTED if refusal is None else f"refused: {refusal.code}"


def approval_rules(content: Mapping[str, Any], node_content: Mapping[str, Any]) -> ApprovalRules:
    """What a policy version asks of approvals; the organisations are the node's."""
    policy = content["policy"]
    return ApprovalRules(
        needed=policy["approvals"],
        unsigned_count=policy["signatures"] == "optional",
        different_organisations=policy["approvals_from_different_organisations"],
        organisations=node_content.get("organisations", {}),
    )


def approvers_until(
    revision: CodeRevision, turn: int, until: datetime, content: Mapping[str, Any]
) -> frozenset[str]:
    """Whose approvals of a turn counted at a moment: owners who were not its authors."""
    owners = content["members"]["information_asset_owner"]
    return frozenset(
        approval.approver
        for approval in revision.approvals
        if _counts(approval, turn, until)
        and approval.approver in owners
        and not is_author(revision, approval.approver)
    )


def replayed_code_approval(approvers: Iterable[str], rules: ApprovalRules) -> str:
    """The state that approvals lead to."""
    enough = rules.suffice(frozenset(approvers))
    return (CodeRevisionState.APPROVED if enough else CodeRevisionState.UNDER_REVIEW).value


def votes_until(votes: Iterable[CastVote], turn: int, until: datetime) -> dict[str, dict[str, Vote]]:
    """The votes of a turn as they stood at a moment, by file and checker."""
    found: dict[str, dict[str, Vote]] = {}
    for cast in sorted(votes, key=lambda cast: cast.at):
        if cast.turn == turn and cast.at <= until:
            found.setdefault(cast.path, {})[cast.checker] = cast.vote
    return found


def replayed_release(
    files: Iterable[FrozenFile], votes: Mapping[str, Mapping[str, Vote]], needed: int
) -> list[str]:
    """The digests of the files that the votes let go, sorted."""
    return sorted(
        file.sha256 for file in files if file_decision(votes.get(file.path, {}), needed) is Decision.APPROVED
    )


def _counts(approval: Approval, turn: int, until: datetime) -> bool:
    return approval.turn == turn and approval.at <= until
