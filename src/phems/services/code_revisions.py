"""Submitting, approving, rejecting and revoking code revisions.

Each act checks the permission, then the rule, then changes the state and writes the audit entry in
one transaction. A code revision is in the Code Mount, verified, before its approval commits. Approvals are
signed and counted by `code_approvals`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from phems.domain.actors import NODE, Actor
from phems.domain.code_revisions import (
    CODE_REVISIONS,
    CodeRevision,
    CodeRevisionAction,
    CodeRevisionState,
    approved_by,
    author_names,
    check_may_approve,
    decided,
    may_approve,
    submitted_again,
)
from phems.domain.digests import TreeEntry, content_digest, environment_digest
from phems.domain.permissions import Verb
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.code_approvals import ApprovalProgress, CodeApprovals, CountedApproval, SignedStatement
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.code_repos import CodeMount, CodeRepos, Commit
from phems.services.project_access import ProjectAccess, ProjectRules
from phems.services.refusals import recorded_refusals

_PREFIX = re.compile(r"[0-9a-f]{4,64}\Z")


class CodeRevisions:
    """The use cases of code revisions."""

    def __init__(
        self,
        governance: Governance,
        repos: CodeRepos,
        mount: CodeMount,
        access: ProjectAccess,
        approvals: CodeApprovals,
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._repos = repos
        self._mount = mount
        self._access = access
        self._approvals = approvals
        self._clock = clock

    def submit(self, actor: Actor, project: str, commit: str | None = None) -> CodeRevision:
        """Submit a commit of the project's branch (a unique prefix; None is the branch's tip)."""
        rules = self._access.check(actor, "code.submit", project)
        with recorded_refusals(
            self._governance, actor, "code.submit", commit or rules.branch, project=project
        ):
            self._repos.refresh(rules.repo)
            found = self._repos.commit(rules.repo, rules.branch, commit)
            fresh = self._read(actor, project, rules, found)
            with self._governance.transaction() as work:
                work.code_revisions.lock(project)
                self._check_never_revoked(work, fresh)
                earlier = work.code_revisions.get(project, fresh.commit)
                revision = fresh
                if earlier is not None:
                    revision = submitted_again(
                        earlier, submitter=actor.name, authors=fresh.authors, at=fresh.submitted_at
                    )
                work.code_revisions.save(revision)
                self._record(work, actor, "code.submit", revision, earlier)
        return revision

    def list(self, actor: Actor, project: str) -> Sequence[CodeRevision]:
        """The project's code revisions, newest first."""
        self._access.check(actor, "code.list", project)
        with self._governance.transaction() as work:
            return work.code_revisions.of_project(project)

    def show(self, actor: Actor, project: str, commit: str) -> CodeRevision:
        """One code revision, by a unique prefix of its commit."""
        self._access.check(actor, "code.list", project)
        with self._governance.transaction() as work:
            return one_revision(work, project, commit)

    def approvals(self, actor: Actor, project: str, commit: str) -> Sequence[CountedApproval]:
        """The approvals of a code revision's present turn, each verified now."""
        self._access.check(actor, "code.list", project)
        with self._governance.transaction() as work:
            return self._approvals.counted(work, one_revision(work, project, commit))

    def progress(self, actor: Actor, project: str, commit: str) -> ApprovalProgress:
        """How many of the approvals needed count today, and whether the actor's would be one more."""
        rules = self._access.check(actor, "code.list", project)
        with self._governance.transaction() as work:
            revision = one_revision(work, project, commit)
            standing = self._standing(work, revision)
        may = self._access.may(actor.name, "code.approve", project) and may_approve(
            revision, actor.name, rules=rules.approval, standing=standing
        )
        return ApprovalProgress(rules.approval.progress(standing), standing, may_approve=may)

    def statement(self, actor: Actor, project: str, commit: str) -> bytes:
        """What the actor signs to approve a code revision, when they keep their own key."""
        rules = self._access.check(actor, "code.approve", project)
        with (
            recorded_refusals(self._governance, actor, "code.approve", commit, project=project),
            self._governance.transaction() as work,
        ):
            revision = one_revision(work, project, commit)
            self._check_may_approve(work, actor, rules, revision)
            return self._approvals.statement(work, revision, actor.name)

    def approve(
        self,
        actor: Actor,
        project: str,
        commit: str,
        *,
        note: str = "",
        signed: SignedStatement | None = None,
    ) -> CodeRevision:
        """Approve; the last approval needed publishes the tree and replaces the approved revision.

        `signed` is the `statement`, signed by an approver who keeps their own key.
        """
        rules = self._access.check(actor, "code.approve", project)
        with (
            recorded_refusals(self._governance, actor, "code.approve", commit, project=project),
            self._refreshed(rules),
            self._governance.transaction() as work,
        ):
            work.code_revisions.lock(project)
            before = one_revision(work, project, commit)
            self._check_never_revoked(work, before)
            standing = self._check_may_approve(work, actor, rules, before)
            approval = self._approvals.make(work, actor, before, rules, note=note, given=signed)
            revision = approved_by(before, approval, rules=rules.approval, standing=standing)
            if revision.state is CodeRevisionState.APPROVED:
                self._publish(rules, revision)
                self._replace_approved(work, revision)
            work.code_revisions.save(revision)
            key_id = approval.signature.key_id if approval.signature else None
            self._record(work, actor, "code.approve", revision, before, key_id=key_id)
            work.code_revisions.announce(project)
        return revision

    def reject(self, actor: Actor, project: str, commit: str, *, reason: str) -> CodeRevision:
        """Reject a code revision that is not approved yet."""
        return self._decide(actor, project, commit, CodeRevisionAction.REJECT, "code.reject", reason)

    def revoke(
        self, actor: Actor, project: str, commit: str, *, reason: str, stop_runs: bool = False
    ) -> CodeRevision:
        """Take an approval back, for good. Other commits with the same content are revoked with it.

        No run of it starts or resumes any more; with `stop_runs` the running node ends those on their way.
        """
        return self._decide(
            actor, project, commit, CodeRevisionAction.REVOKE, "code.revoke", reason, stop_runs=stop_runs
        )

    def restore(self, actor: Actor, project: str, commit: str, *, reason: str) -> CodeRevision:
        """Go back to a code revision that was replaced, as long as the approvals that it has count today.

        It is no new approval: whoever asks adds none, and may be its author. What runs now is replaced by it.
        """
        rules = self._access.check(actor, "code.approve", project)
        _check_reason("roll back to", commit, reason, f"phems code rollback --project {project} {commit}")
        with (
            recorded_refusals(self._governance, actor, "code.restore", commit, project=project),
            self._refreshed(rules),
            self._governance.transaction() as work,
        ):
            work.code_revisions.lock(project)
            before = one_revision(work, project, commit)
            self._check_never_revoked(work, before)
            revision = decided(
                before,
                CodeRevisionAction.RESTORE,
                by=actor.name,
                at=self._clock.now(),
                reason=reason.strip(),
            )
            self._approvals.check(work, before)
            self._publish(rules, revision)
            self._replace_approved(work, revision)
            work.code_revisions.save(revision)
            self._record(work, actor, "code.restore", revision, before)
            work.code_revisions.announce(project)
        return revision

    def _decide(
        self,
        actor: Actor,
        project: str,
        commit: str,
        action: CodeRevisionAction,
        verb: Verb,
        reason: str,
        *,
        stop_runs: bool = False,
    ) -> CodeRevision:
        self._access.check(actor, verb, project)
        _check_reason(action.value, commit, reason, f"phems code {action.value} --project {project} {commit}")
        with (
            recorded_refusals(self._governance, actor, verb, commit, project=project),
            self._governance.transaction() as work,
        ):
            work.code_revisions.lock(project)
            before = one_revision(work, project, commit)
            revision = decided(
                before,
                action,
                by=actor.name,
                at=self._clock.now(),
                reason=reason.strip(),
                stop_runs=stop_runs,
            )
            work.code_revisions.save(revision)
            self._record(work, actor, verb, revision, before)
            if action is CodeRevisionAction.REVOKE:
                self._revoke_same_content(work, actor, revision)
            work.code_revisions.announce(project)
        return revision

    def _revoke_same_content(self, work: Transaction, actor: Actor, revoked: CodeRevision) -> None:
        for other in work.code_revisions.of_project(revoked.project):
            if other.digest == revoked.digest and CODE_REVISIONS.allows(
                other.state, CodeRevisionAction.REVOKE
            ):
                also = decided(
                    other,
                    CodeRevisionAction.REVOKE,
                    by=actor.name,
                    at=self._clock.now(),
                    reason=revoked.reason,
                    stop_runs=revoked.stop_runs,
                )
                work.code_revisions.save(also)
                self._record(work, actor, "code.revoke", also, other, same_content_as=revoked.commit)

    def _check_may_approve(
        self, work: Transaction, actor: Actor, rules: ProjectRules, revision: CodeRevision
    ) -> frozenset[str]:
        """Refuse an approval that would not count; gives whose approvals count already."""
        standing = self._standing(work, revision)
        check_may_approve(revision, actor.name, rules=rules.approval, standing=standing)
        return standing

    def _standing(self, work: Transaction, revision: CodeRevision) -> frozenset[str]:
        """Whose approvals count; one who has lost the role before the revision is decided counts no more."""
        return frozenset(
            name
            for name in self._approvals.approvers(work, revision)
            if self._access.may(name, "code.approve", revision.project)
        )

    def _read(self, actor: Actor, project: str, rules: ProjectRules, found: Commit) -> CodeRevision:
        """The commit as a code revision: its whole tree is read and hashed."""
        with self._repos.files(rules.repo, found.commit) as files:
            entries = [
                TreeEntry(file.path, file.mode, hashlib.sha256(file.content).hexdigest()) for file in files
            ]
        return CodeRevision(
            project=project,
            commit=found.commit,
            digest=content_digest(entries),
            environment_digest=environment_digest(entries),
            branch=rules.branch,
            subject=found.subject,
            authors=author_names(actor.name, found.author_name, found.author_email),
            submitter=actor.name,
            submitted_at=self._clock.now(),
        )

    @contextmanager
    def _refreshed(self, rules: ProjectRules) -> Iterator[None]:
        """Before the transaction, which must not wait for another machine: see what the branch is now."""
        self._repos.refresh(rules.repo)
        yield

    def _publish(self, rules: ProjectRules, revision: CodeRevision) -> None:
        """Into the Code Mount, which verifies that the bytes are those that were submitted."""
        self._repos.commit(rules.repo, rules.branch, revision.commit)
        with self._repos.files(rules.repo, revision.commit) as files:
            self._mount.publish(revision.project, revision.digest, files)

    def _replace_approved(self, work: Transaction, revision: CodeRevision) -> None:
        before = work.code_revisions.approved(revision.project)
        if before is None or before.commit == revision.commit:  # the same one, confirmed
            return
        replaced = decided(before, CodeRevisionAction.REPLACE, by=NODE.name, at=self._clock.now())
        work.code_revisions.save(replaced)
        self._record(work, NODE, "code.replace", replaced, before, by=revision.commit)

    def _check_never_revoked(self, work: Transaction, fresh: CodeRevision) -> None:
        for other in work.code_revisions.of_project(fresh.project):
            same = other.digest == fresh.digest and other.commit != fresh.commit
            if same and other.state is CodeRevisionState.REVOKED:
                raise RefusedError(
                    f"The code revision {fresh.name} cannot be submitted or approved.",
                    why=f"its content is that of {other.name}, which was revoked: {other.reason}",
                    remedy="Change what it was revoked for, commit, and submit the new commit.",
                )

    def _record(
        self,
        work: Transaction,
        actor: Actor,
        action: str,
        revision: CodeRevision,
        before: CodeRevision | None,
        **details: Any,
    ) -> None:
        work.audit.append(
            actor,
            action,
            revision.commit,
            project=revision.project,
            details={
                "digest": revision.digest,
                "environment_digest": revision.environment_digest,
                "turn": revision.turn,
                "before": before.state.value if before else None,
                "after": revision.state.value,
                "policy_version": work.policies.current(revision.project).label,
                **({"stop_runs": True} if revision.stop_runs else {}),
                **({"reason": revision.reason} if revision.reason else {}),
                **details,
            },
        )


def _check_reason(verb: str, commit: str, reason: str, command: str) -> None:
    if not reason.strip():
        raise InputError(
            f"A reason is missing to {verb} the code revision {commit}.",
            why="the author and the audit log are told why.",
            remedy=f'{command} --reason "..."',
        )


def one_revision(work: Transaction, project: str, commit: str) -> CodeRevision:
    """A code revision by a unique prefix of its commit."""
    found = work.code_revisions.find(project, commit) if _PREFIX.match(commit) else []
    if len(found) > 1:
        raise InputError(
            f"{commit} names {len(found)} code revisions of {project}.",
            why=f"they are: {', '.join(revision.commit[:16] for revision in found)}.",
            remedy="Give more characters of the commit.",
        )
    if not found:
        raise NotFoundError(
            f"{project} has no code revision {commit}.",
            why="no submitted commit begins with these characters (at least 4, hexadecimal).",
            remedy=f"phems code list --project {project}",
        )
    return found[0]
