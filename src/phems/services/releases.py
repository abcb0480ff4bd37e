"""Asking for releases, reviewing them, and taking them back.

Each act checks the permission, then the rule, then changes the state and writes the audit entry in
one transaction, with the request locked. What a person gets to see is `release_views.seen_by`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phems.domain.actors import NODE, Actor
from phems.domain.file_contents import TypeRule
from phems.domain.permissions import Verb
from phems.domain.release_states import ReleaseAction, ReleaseState
from phems.domain.release_views import ReleaseView, seen_by
from phems.domain.releases import (
    Comment,
    CommentVisibility,
    FileGroup,
    FrozenFile,
    ReleasePolicy,
    ReleaseRequest,
    acted,
    approved_in_part,
    authors_of,
    check_not_author,
    request_id,
    submitted_again,
    voted,
    withdrawn,
)
from phems.domain.votes import Vote
from phems.errors import InputError, NotFoundError, RefusedError
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import ArtifactAreas, FrozenFiles, ReleaseZone
from phems.services.ports.clock import Clock
from phems.services.project_access import ProjectAccess, ProjectRules
from phems.services.refusals import recorded_refusals
from phems.services.release_files import Choice, Freezer

Change = Callable[[ReleaseRequest], ReleaseRequest]

# The act, as the audit log has it, and the permission it needs: deciding is the checkers' as voting is.
_PERMISSIONS: Mapping[str, Verb] = {
    "release.withdraw": "release.withdraw",
    "release.vote": "release.vote",
    "release.approve": "release.vote",
    "release.reject": "release.vote",
    "release.return": "release.vote",
    "release.revoke": "release.revoke",
    "release.comment": "release.comment",
}


@dataclass(frozen=True)
class Case:
    """What the author tells the checkers: what the files are, and how disclosure was avoided."""

    context: str
    controls: str

    def check(self) -> tuple[FileGroup, ...]:
        """The one file group of a request; raises `InputError` when something is missing."""
        for name, value in (("context", self.context), ("controls", self.controls)):
            if not value.strip():
                raise InputError(
                    f"The release request has no {name}.",
                    why="checkers need to know what the files are (context), and how disclosure was avoided "
                    "(controls).",
                    remedy=f'Add --{name} "..."',
                )
        return (FileGroup("default", self.context.strip(), self.controls.strip()),)


class Releases:
    """The use cases of release requests."""

    def __init__(
        self,
        governance: Governance,
        artifacts: ArtifactAreas,
        frozen: FrozenFiles,
        zone: ReleaseZone,
        access: ProjectAccess,
        clock: Clock,
    ) -> None:
        self._governance = governance
        self._freezer = Freezer(governance, artifacts, frozen)
        self._frozen = frozen
        self._zone = zone
        self._access = access
        self._clock = clock

    # Authors

    def request(self, actor: Actor, project: str, choice: Choice, case: Case) -> ReleaseView:
        """Ask that outputs leave the node: their bytes are frozen, and the request is submitted."""
        rules = self._access.check(actor, "release.request", project)
        groups = case.check()
        name = request_id(secrets.token_bytes(5))
        with recorded_refusals(self._governance, actor, "release.request", name, project=project):
            outputs, runs = self._freezer.chosen(project, choice)
            files = self._freezer.freeze(name, 1, outputs, _type_rule(rules))
            with self._discarding(name, 1), self._governance.transaction() as work:
                now = self._clock.now()
                pending = ReleaseRequest(
                    id=name,
                    project=project,
                    requester=actor.name,
                    authors=authors_of(actor.name, runs),
                    policy=_policy(rules),
                    requested_at=now,
                    groups=groups,
                    files=files,
                    runs=runs,
                )
                request = acted(pending, ReleaseAction.SUBMIT, by=actor.name, at=now)
                work.releases.save(request)
                _record(work, actor, "release.request", request, None, files=_digests(files))
        return self._view(actor, request)

    def resubmit(self, actor: Actor, name: str, choice: Choice, case: Case) -> ReleaseView:
        """Submit a returned request again, with new files, in a new turn. Votes start afresh."""
        groups = case.check()
        with self._governance.transaction() as work:
            before = self._visible(work, actor, name)
        rules = self._access.check(actor, "release.request", before.project)
        with recorded_refusals(self._governance, actor, "release.request", name, project=before.project):
            _check_returned(before)
            turn = before.turn + 1
            outputs, runs = self._freezer.chosen(before.project, choice)
            files = self._freezer.freeze(name, turn, outputs, _type_rule(rules))
            with self._discarding(name, turn), self._governance.transaction() as work:
                before = self._visible(work, actor, name, lock=True)
                request = submitted_again(
                    before,
                    by=actor.name,
                    policy=_policy(rules),
                    groups=groups,
                    files=files,
                    runs=runs,
                    at=self._clock.now(),
                )
                work.releases.save(request)
                _record(work, actor, "release.request", request, before, files=_digests(files))
        return self._view(actor, request)

    def withdraw(self, actor: Actor, name: str, *, reason: str = "") -> ReleaseView:
        """Take a request back, until it is released."""
        return self._change(
            actor,
            name,
            "release.withdraw",
            lambda request: withdrawn(request, actor.name, at=self._clock.now(), reason=reason),
        )

    # Checkers

    def vote(self, actor: Actor, name: str, votes: Mapping[str, Vote] | Vote) -> ReleaseView:
        """Vote on files by path, or with one vote on all files."""

        def change(request: ReleaseRequest) -> ReleaseRequest:
            every = {file.path: votes for file in request.outputs()} if isinstance(votes, Vote) else votes
            return voted(request, actor.name, list(every.items()), at=self._clock.now())

        said = votes.value if isinstance(votes, Vote) else {path: vote.value for path, vote in votes.items()}
        return self._change(actor, name, "release.vote", change, votes=said)

    def approve(self, actor: Actor, name: str, *, reason: str = "") -> ReleaseView:
        """Let the approved files of a reviewed request go without the others."""
        return self._change(
            actor,
            name,
            "release.approve",
            lambda request: approved_in_part(request, actor.name, at=self._clock.now(), reason=reason),
        )

    def reject(self, actor: Actor, name: str, *, reason: str) -> ReleaseView:
        """Refuse a reviewed request for good."""
        return self._decide(actor, name, ReleaseAction.REJECT, reason)

    def return_(self, actor: Actor, name: str, *, reason: str) -> ReleaseView:
        """Give a request back to its author for changes."""
        return self._decide(actor, name, ReleaseAction.RETURN, reason)

    def revoke(self, actor: Actor, name: str, *, reason: str) -> ReleaseView:
        """Take an approval or a release back. What was handed over already cannot be called back."""
        return self._decide(actor, name, ReleaseAction.REVOKE, reason)

    # Everyone who may see the request

    def comment(self, actor: Actor, name: str, text: str, *, private: bool = False) -> ReleaseView:
        """Say something about a request; PRIVATE stays among the checkers."""
        if not text.strip():
            raise InputError("The comment is empty.", remedy=f'phems release comment {name} "..."')
        visibility = CommentVisibility.PRIVATE if private else CommentVisibility.PUBLIC

        def change(request: ReleaseRequest) -> ReleaseRequest:
            if private and not self._is_checker(actor, request):
                raise RefusedError(
                    "A private comment cannot be made here.",
                    why="only Output Checkers who are not authors of the request make and see them.",
                    remedy="Leave --private out.",
                )
            comment = Comment(actor.name, text.strip(), visibility, self._clock.now(), request.turn)
            return replace(request, comments=(*request.comments, comment))

        # The text stays in the request: it may quote unreleased results, which the audit log must not.
        return self._change(actor, name, "release.comment", change, visibility=visibility.value)

    def list(self, actor: Actor, project: str) -> Sequence[ReleaseView]:
        """The project's requests, newest first, as this person may see them."""
        self._access.check(actor, "release.list", project)
        with self._governance.transaction() as work:
            requests = work.releases.of_project(project)
        return [self._view(actor, request) for request in requests]

    def show(self, actor: Actor, name: str) -> ReleaseView:
        """One request, as this person may see it."""
        with self._governance.transaction() as work:
            return self._view(actor, self._visible(work, actor, name))

    def read_file(self, actor: Actor, name: str, path: str) -> Iterator[bytes]:
        """The frozen bytes of a file, for review inside the node. The view is audited before it happens."""
        with self._governance.transaction() as work:
            request = self._visible(work, actor, name)
            if path not in {file.path for file in request.files}:
                raise NotFoundError(
                    f"The release request {name} has no file {path!r}.",
                    why=f"its files are: {', '.join(file.path for file in request.files)}.",
                    remedy=f"phems release show {name}",
                )
            _record(work, actor, "release.view", request, request, file=path)
        return self._frozen.chunks(name, request.turn, path)

    def download(self, actor: Actor, name: str, target: Path) -> Path:
        """Copy a released package to `target/<name>`, verified. The download is audited before it happens."""
        with self._governance.transaction() as work:
            request = self._visible(work, actor, name)
            self._access.check(actor, "release.download", request.project)
            if request.state is not ReleaseState.RELEASED:
                raise RefusedError(
                    f"The release request {name} cannot be downloaded.",
                    why=f"it is {request.state.value}; only RELEASED packages leave the node.",
                    remedy=f"phems release show {name}",
                )
            _record(work, actor, "release.download", request, request)
        return self._zone.copy_to(name, target)

    # Shared

    def _decide(self, actor: Actor, name: str, action: ReleaseAction, reason: str) -> ReleaseView:
        if not reason.strip():
            raise InputError(
                f"A reason is missing to {action.value} the release request {name}.",
                why="the author and the audit log are told why.",
                remedy=f'phems release {action.value} {name} --reason "..."',
            )

        def change(request: ReleaseRequest) -> ReleaseRequest:
            if action is not ReleaseAction.REVOKE:
                check_not_author(request, actor.name, action.value)
            return acted(request, action, by=actor.name, at=self._clock.now(), reason=reason.strip())

        return self._change(actor, name, f"release.{action.value}", change)

    def _change(self, actor: Actor, name: str, verb: str, change: Change, **details: Any) -> ReleaseView:
        """Permission, rule, state and audit entry of one act on one request."""
        permission = _PERMISSIONS[verb]
        with self._governance.transaction() as work:
            project = self._visible(work, actor, name).project
        with recorded_refusals(self._governance, actor, verb, name, project=project):
            self._access.check(actor, permission, project)
            with self._governance.transaction() as work:
                before = self._visible(work, actor, name, lock=True)
                request = change(before)
                work.releases.save(request)
                _record(work, actor, verb, request, before, **details)
                _record_automatic_approval(work, request, before, verb)
                work.releases.announce(name)
        return self._view(actor, request)

    def _visible(self, work: Transaction, actor: Actor, name: str, *, lock: bool = False) -> ReleaseRequest:
        """A request that the actor may know of; one of another project looks like one that is not there."""
        request = work.releases.get(name, lock=lock)
        if request is None or not self._access.may(actor.name, "release.list", request.project):
            raise NotFoundError(
                f"There is no release request {name!r} here for you.",
                why="no such request exists, or you have no role in its project.",
                remedy="phems release list --project PROJECT",
            )
        return request

    def _is_checker(self, actor: Actor, request: ReleaseRequest) -> bool:
        checker = self._access.may(actor.name, "release.vote", request.project)
        return checker and actor.name not in request.authors

    def _view(self, actor: Actor, request: ReleaseRequest) -> ReleaseView:
        return seen_by(request, actor.name, checker=self._is_checker(actor, request))

    @contextmanager
    def _discarding(self, name: str, turn: int) -> Iterator[None]:
        """Remove what was frozen when the request does not come about."""
        try:
            yield
        except BaseException:
            self._freezer.discard(name, turn)
            raise


def _record(
    work: Transaction,
    actor: Actor,
    verb: str,
    request: ReleaseRequest,
    before: ReleaseRequest | None,
    **details: Any,
) -> None:
    work.audit.append(
        actor,
        verb,
        request.id,
        project=request.project,
        details={
            "turn": request.turn,
            "before": before.state.value if before else None,
            "after": request.state.value,
            **({"reason": request.reason} if request.reason else {}),
            **details,
        },
    )


def _record_automatic_approval(
    work: Transaction, request: ReleaseRequest, before: ReleaseRequest, verb: str
) -> None:
    """The vote that decides the last file approves the request: the node's act, with its own entry."""
    if verb == "release.vote" and request.state is ReleaseState.APPROVED:
        _record(work, NODE, "release.approve", request, before, files=_digests(request.approved_files()))


def _digests(files: Sequence[FrozenFile]) -> dict[str, str]:
    return {file.path: file.sha256 for file in files}


def _check_returned(request: ReleaseRequest) -> None:
    """Refuse early, before anything is frozen, what `submitted_again` would refuse."""
    acted(request, ReleaseAction.SUBMIT, by=request.requester, at=request.requested_at)


def _policy(rules: ProjectRules) -> ReleasePolicy:
    return ReleasePolicy(rules.policy, rules.votes, rules.file_types, rules.max_file_size)


def _type_rule(rules: ProjectRules) -> TypeRule:
    return TypeRule(rules.policy, rules.file_types, rules.max_file_size)
