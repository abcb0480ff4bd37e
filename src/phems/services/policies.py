"""Governed governance: node.yaml becomes policy versions, and what loosens a rule waits for a second person.

Of a change that both tightens and loosens, the tightening part is in force at once, as a version of its own;
the whole waits behind it. So nobody keeps a right that was taken away because another one was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phems.domain.actors import Actor
from phems.domain.approvals import Statement
from phems.domain.canonical import digest
from phems.domain.permissions import Verb, check_may
from phems.domain.policy_changes import Change, changes, without_loosening
from phems.domain.policy_versions import (
    NODE_SCOPE,
    PolicyAction,
    PolicyRecord,
    PolicyState,
    PolicyVersion,
    check_second_person,
    moved,
    next_record,
    option,
)
from phems.errors import InputError, NotFoundError
from phems.nodespec.governed import complete
from phems.services.approval_signatures import ApprovalSignatures
from phems.services.membership import RolesIn
from phems.services.ports import Governance, Transaction
from phems.services.ports.clock import Clock
from phems.services.ports.policies import Contents
from phems.services.project_access import no_project
from phems.services.refusals import recorded_refusals

Found = list["Waiting"]


@dataclass(frozen=True)
class Waiting:
    """A version that is declared in node.yaml and not in force, with what in it loosens a rule."""

    scope: str
    number: int
    state: PolicyState
    proposed_by: str
    loosens: tuple[Change, ...]

    def as_text(self) -> str:
        """One line for people, with what to do."""
        fields = ", ".join(".".join(change.path) for change in self.loosens)
        where = f"of {self.scope}" if self.scope else "of the node"
        if self.state is PolicyState.REJECTED:
            return f"node.yaml loosens rules {where} ({fields}); that was rejected, and is not in force."
        return (
            f"node.yaml loosens rules {where} ({fields}); not in force until a second person confirms: "
            f"phems policy approve{option(self.scope)} {self.number}"
        )


@dataclass(frozen=True)
class PolicyDiff:
    """A version against another: what it changes, and which of it loosens a rule."""

    scope: str
    before: int
    after: int
    changes: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        """For the command line and the API."""
        return {
            "scope": self.scope,
            "before": self.before,
            "after": self.after,
            "changes": [change.as_json() for change in self.changes],
        }


class Policies:
    """The use cases of policy versions."""

    def __init__(
        self, governance: Governance, roles_in: RolesIn, signatures: ApprovalSignatures, clock: Clock
    ) -> None:
        self._governance = governance
        self._roles_in = roles_in
        self._signatures = signatures
        self._clock = clock

    def take_up(self, actor: Actor, declared: Contents, *, ask_again: bool = False) -> Sequence[Waiting]:
        """Make policy versions of what node.yaml declares; gives what of it is not in force.

        The first versions of a new node are in force at once. A content that was rejected is proposed again
        only with `ask_again`.
        """
        with self._governance.transaction() as work:
            work.policies.lock()
            in_force = work.policies.in_force()
            waiting: Found = []
            for scope, content in declared.items():
                before = in_force.get(scope)
                at_once = _at_once(scope, content, before, in_force)
                if before is None or digest(at_once) != before.digest:
                    self._adopt(work, actor, scope, at_once, before)
                waiting += self._propose(work, actor, scope, content, at_once, ask_again=ask_again)
        return waiting

    def in_force(self) -> Mapping[str, PolicyVersion]:
        """The versions in force, of the node and of its projects."""
        with self._governance.transaction() as work:
            return work.policies.in_force()

    def waiting(self) -> Sequence[Waiting]:
        """The versions that wait for a second person."""
        with self._governance.transaction() as work:
            return [
                _waiting(record, changes(_content(work, record.scope), record.version.content))
                for record in work.policies.pending()
            ]

    def list(self, actor: Actor, scope: str) -> Sequence[PolicyRecord]:
        """All versions of a scope, newest first."""
        self._check(actor, "policy.list", scope)
        with self._governance.transaction() as work:
            return work.policies.of_scope(scope)

    def show(self, actor: Actor, scope: str, number: int | None = None) -> PolicyRecord:
        """A version; without a number the one in force."""
        self._check(actor, "policy.list", scope)
        with self._governance.transaction() as work:
            return _one(work, scope, number if number is not None else work.policies.current(scope).number)

    def diff(self, actor: Actor, scope: str, number: int) -> PolicyDiff:
        """What a version changes: a pending one in what is in force, any other in the one before."""
        self._check(actor, "policy.list", scope)
        with self._governance.transaction() as work:
            after = _one(work, scope, number)
            base = work.policies.current(scope).number if after.state is PolicyState.PENDING else number - 1
            before = complete(_one(work, scope, base).version.content) if base else {}
        return PolicyDiff(scope, base, number, changes(before, complete(after.version.content)))

    def approve(self, actor: Actor, scope: str, number: int) -> PolicyRecord:
        """Confirm a version that loosens a rule: it is in force from now on."""
        self._check(actor, "policy.approve", scope)
        with (
            recorded_refusals(
                self._governance, actor, "policy.approve", _subject(scope, number), project=scope or None
            ),
            self._governance.transaction() as work,
        ):
            work.policies.lock()
            record = _one(work, scope, number)
            check_second_person(record, actor.name, self._roles_in(actor.name, scope))
            self._signatures.current_key(work, actor.name)
            now = self._clock.now()
            after = moved(record, PolicyAction.APPROVE, by=actor.name, at=now)
            before = work.policies.current(scope)
            _replace(work, scope, before.number, now)
            work.policies.save(after)
            signature = self._signatures.sign(work, actor, _statement(after, actor, now))
            _record(
                work, actor, "policy.approve", after, before,
                proposed_by=record.proposed_by, key_id=signature.key_id, signature=signature.signature,
                signed_at=now.isoformat(),
            )  # fmt: skip
        return after

    def reject(self, actor: Actor, scope: str, number: int, *, reason: str) -> PolicyRecord:
        """Refuse a version: the one in force stays."""
        self._check(actor, "policy.reject", scope)
        if not reason.strip():
            raise InputError(
                f"A reason is missing to reject policy version {number}.",
                why="who proposed it and the audit log are told why.",
                remedy=f'phems policy reject{option(scope)} {number} --reason "..."',
            )
        with (
            recorded_refusals(
                self._governance, actor, "policy.reject", _subject(scope, number), project=scope or None
            ),
            self._governance.transaction() as work,
        ):
            work.policies.lock()
            record = _one(work, scope, number)
            check_second_person(record, actor.name, self._roles_in(actor.name, scope))
            after = moved(
                record, PolicyAction.REJECT, by=actor.name, at=self._clock.now(), reason=reason.strip()
            )
            work.policies.save(after)
            _record(work, actor, "policy.reject", after, work.policies.current(scope), reason=after.reason)
        return after

    def _check(self, actor: Actor, verb: Verb, scope: str) -> None:
        roles = self._roles_in(actor.name, scope)
        if scope and not roles:
            raise no_project(scope)
        check_may(actor.name, roles, verb, scope or None)

    def _adopt(
        self,
        work: Transaction,
        actor: Actor,
        scope: str,
        content: Mapping[str, Any],
        before: PolicyVersion | None,
    ) -> None:
        now = self._clock.now()
        number = _next_number(work, scope)
        if before is not None:
            _replace(work, scope, before.number, now)
        record = next_record(scope, number, content, PolicyAction.ADOPT, by=actor.name, at=now)
        work.policies.save(record)
        _record(work, actor, "policy.adopt", record, before, is_first=before is None)

    def _propose(
        self,
        work: Transaction,
        actor: Actor,
        scope: str,
        content: Mapping[str, Any],
        at_once: Mapping[str, Any],
        *,
        ask_again: bool,
    ) -> Found:
        """Put what is declared and not in force before a second person, once."""
        loosening = changes(at_once, content)
        records = work.policies.of_scope(scope)
        pending = next((record for record in records if record.state is PolicyState.PENDING), None)
        if pending is not None and loosening and pending.version.digest == digest(content):
            return [_waiting(pending, loosening)]
        now = self._clock.now()
        if pending is not None:
            work.policies.save(moved(pending, PolicyAction.WITHDRAW, by=actor.name, at=now))
            _record(work, actor, "policy.withdraw", pending, work.policies.current(scope))
        if not loosening:
            return []
        decided = [r for r in records if r.version.digest == digest(content) and r is not pending]
        if decided and decided[0].state is PolicyState.REJECTED and not ask_again:
            return [_waiting(decided[0], loosening)]
        number = _next_number(work, scope)
        record = next_record(scope, number, content, PolicyAction.PROPOSE, by=actor.name, at=now)
        work.policies.save(record)
        _record(work, actor, "policy.propose", record, work.policies.current(scope))
        return [_waiting(record, loosening)]


def _at_once(
    scope: str,
    content: Mapping[str, Any],
    before: PolicyVersion | None,
    in_force: Mapping[str, PolicyVersion],
) -> Mapping[str, Any]:
    """The part of a declared content that needs no second person."""
    if not in_force:
        return content  # a new node: there is nothing yet that could be loosened
    if scope == NODE_SCOPE and not any(version.content.get("data_grants") for version in in_force.values()):
        return content  # no project reads data, and there may be nobody to ask
    if before is None:
        # A new project decides about nothing but itself, until it is granted data.
        return {**content, "data_grants": {}} if scope else content
    return without_loosening(complete(before.content), content)


def _replace(work: Transaction, scope: str, number: int, at: datetime) -> None:
    record = work.policies.get(scope, number)
    if record is not None:
        work.policies.save(moved(record, PolicyAction.REPLACE, by="", at=at))


def _content(work: Transaction, scope: str) -> Mapping[str, Any]:
    return complete(work.policies.current(scope).content)


def _next_number(work: Transaction, scope: str) -> int:
    return max((record.version.number for record in work.policies.of_scope(scope)), default=0) + 1


def _one(work: Transaction, scope: str, number: int) -> PolicyRecord:
    record = work.policies.get(scope, number)
    if record is None:
        raise NotFoundError(
            f"There is no policy version {number} of {scope or 'the node'}.",
            remedy=f"phems policy list{option(scope)}",
        )
    return record


def _waiting(record: PolicyRecord, found: Sequence[Change]) -> Waiting:
    loosening = tuple(change for change in found if change.loosens)
    return Waiting(record.scope, record.version.number, record.state, record.proposed_by, loosening)


def _subject(scope: str, number: int) -> str:
    return f"{scope or 'node'}/{number}"


def _statement(record: PolicyRecord, actor: Actor, at: datetime) -> Statement:
    return Statement(
        what="policy.approve",
        subject=_subject(record.scope, record.version.number),
        digest=record.version.digest,
        decision=record.state.value,
        by=actor.name,
        at=at,
        policy_version=record.version.label,
    )


def _record(
    work: Transaction,
    actor: Actor,
    action: str,
    record: PolicyRecord,
    before: PolicyVersion | None,
    **details: Any,
) -> None:
    """Write the audit entry, and tell the running node."""
    work.policies.announce(record.scope)
    work.audit.append(
        actor,
        action,
        _subject(record.scope, record.version.number),
        project=record.scope or None,
        details={
            "digest": record.version.digest,
            "before": before.label if before is not None else None,
            "after": record.version.label,
            "state": record.state.value,
            **_changed(before, record),
            **details,
        },
    )


def _changed(before: PolicyVersion | None, record: PolicyRecord) -> dict[str, Any]:
    """What the audit log tells of the content: the changes; of a first version, all of it."""
    if before is None or not before.number:
        return {"content": record.version.content}
    found = changes(complete(before.content), record.version.content)
    return {"changes": [change.as_json() for change in found]}
