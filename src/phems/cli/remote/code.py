"""Code revisions and run capsules of a node at an address."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from phems.cli.remote.api import NodeApi, part
from phems.domain.actors import Actor
from phems.domain.approvals import Approval
from phems.domain.capsule_approvals import CapsuleApproval, CapsuleState
from phems.domain.code_diffs import CodeDiff
from phems.domain.code_revisions import CodeRevision
from phems.services.capsules import CapsuleView
from phems.services.code_approvals import CountedApproval, SignedStatement


class RemoteCode:
    """`CodePort` and `DiffPort` over the API. Who acts is whose token is sent."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def submit(self, _actor: Actor, project: str, commit: str | None) -> CodeRevision:
        """Submit a commit."""
        return self._revision(self._api.post(_revisions(project), {"commit": commit}))

    def list(self, _actor: Actor, project: str) -> Sequence[CodeRevision]:
        """Every code revision, newest first."""
        return [self._revision(row) for row in self._api.pages(_revisions(project))]

    def show(self, _actor: Actor, project: str, commit: str) -> CodeRevision:
        """One code revision."""
        return self._revision(self._api.get(_revision(project, commit)))

    def approvals(self, _actor: Actor, project: str, commit: str) -> Sequence[CountedApproval]:
        """Its approvals of this turn, verified by the node now."""
        rows = self._api.get(f"{_revision(project, commit)}/approvals")
        return [CountedApproval(self._api.decode(Approval, row), row["problem"]) for row in rows]

    def diff(
        self,
        _actor: Actor,
        project: str,
        commit: str,
        *,
        against: str | None = None,
        with_lines: bool = False,
        paths: Sequence[str] = (),
    ) -> CodeDiff:
        """What it changes."""
        query: dict[str, Any] = {"against": against, "path": list(paths) or None}
        found = self._api.get(f"{_revision(project, commit)}/diff", lines=str(with_lines).lower(), **query)
        return self._api.decode(CodeDiff, found)

    def statement(self, _actor: Actor, project: str, commit: str) -> bytes:
        """What its approver signs who keeps their own key."""
        return base64.b64decode(self._api.get(f"{_revision(project, commit)}/statement")["statement"])

    def approve(
        self,
        _actor: Actor,
        project: str,
        commit: str,
        *,
        note: str = "",
        signed: SignedStatement | None = None,
    ) -> CodeRevision:
        """Approve it."""
        body = {"note": note}
        if signed is not None:
            body["statement"] = base64.b64encode(signed.statement).decode()
            body["signature"] = signed.signature
        return self._revision(self._api.post(f"{_revision(project, commit)}/approve", body))

    def reject(self, _actor: Actor, project: str, commit: str, *, reason: str) -> CodeRevision:
        """Reject it."""
        return self._revision(self._api.post(f"{_revision(project, commit)}/reject", {"reason": reason}))

    def restore(self, _actor: Actor, project: str, commit: str, *, reason: str) -> CodeRevision:
        """Go back to it."""
        return self._revision(self._api.post(f"{_revision(project, commit)}/rollback", {"reason": reason}))

    def revoke(
        self, _actor: Actor, project: str, commit: str, *, reason: str, stop_runs: bool = False
    ) -> CodeRevision:
        """Take its approval back."""
        body = {"reason": reason, "stop_runs": stop_runs}
        return self._revision(self._api.post(f"{_revision(project, commit)}/revoke", body))

    def _revision(self, row: Any) -> CodeRevision:
        return self._api.decode(CodeRevision, row)


class RemoteCapsules:
    """`CapsulePort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def list(
        self, _actor: Actor, project: str, states: Sequence[CapsuleState] = ()
    ) -> Sequence[CapsuleApproval]:
        """The capsules that somebody had, or has, to decide on."""
        found = [self._approval(row) for row in self._api.pages(_capsules(project))]
        return [approval for approval in found if not states or approval.state in states]

    def show(self, _actor: Actor, project: str, name: str) -> CapsuleView:
        """One capsule in full."""
        return self._api.decode(CapsuleView, self._api.get(f"{_capsules(project)}/{part(name)}"))

    def approve(
        self, _actor: Actor, project: str, name: str, *, times: int = 1, days: int | None = None
    ) -> CapsuleApproval:
        """Let it run."""
        return self._act(project, name, "approve", {"times": times, "days": days})

    def reject(self, _actor: Actor, project: str, name: str, *, reason: str) -> CapsuleApproval:
        """Refuse it."""
        return self._act(project, name, "reject", {"reason": reason})

    def revoke(self, _actor: Actor, project: str, name: str, *, reason: str) -> CapsuleApproval:
        """Take its approval back."""
        return self._act(project, name, "revoke", {"reason": reason})

    def _act(self, project: str, name: str, verb: str, body: dict[str, Any]) -> CapsuleApproval:
        return self._approval(self._api.post(f"{_capsules(project)}/{part(name)}/{verb}", body))

    def _approval(self, row: Any) -> CapsuleApproval:
        return self._api.decode(CapsuleApproval, row)


def _revisions(project: str) -> str:
    return f"/projects/{part(project)}/code-revisions"


def _revision(project: str, commit: str) -> str:
    return f"{_revisions(project)}/{part(commit)}"


def _capsules(project: str) -> str:
    return f"/projects/{part(project)}/capsules"
