"""What all acts on release requests share: who may see one, how it is changed, and what is recorded of it.

Each act checks the permission, then the rule, then changes the state and writes the audit entry in one
transaction, with the request locked. What a person gets to see is `release_views.seen_by`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from phems.domain.actors import NODE, Actor
from phems.domain.file_contents import TypeRule
from phems.domain.output_checks import CheckReport
from phems.domain.permissions import Verb
from phems.domain.release_states import ReleaseState
from phems.domain.release_views import ReleaseView, seen_by
from phems.domain.releases import FrozenFile, ReleasePolicy, ReleaseRequest
from phems.domain.sealed_votes import opened
from phems.domain.votes import ReviewPhase
from phems.errors import NotFoundError
from phems.services.ports import Governance, Transaction
from phems.services.ports.artifacts import ArtifactAreas, FrozenFiles, ReleaseZone
from phems.services.ports.clock import Clock
from phems.services.project_access import ProjectAccess, ProjectRules
from phems.services.refusals import recorded_refusals
from phems.services.release_files import Freezer
from phems.services.vote_signatures import VoteSignatures

Change = Callable[[Transaction, ReleaseRequest], ReleaseRequest]

# The act, as the audit log has it, and the permission it needs: deciding is the checkers' as voting is.
PERMISSIONS: Mapping[str, Verb] = {
    "release.submit": "release.request",
    "release.withdraw": "release.withdraw",
    "release.withdraw_file": "release.withdraw",
    "release.vote": "release.vote",
    "release.approve": "release.vote",
    "release.reject": "release.vote",
    "release.return": "release.vote",
    "release.revoke": "release.revoke",
    "release.comment": "release.comment",
}


class RequestChecks(Protocol):
    """Runs the output checks on a turn of a request (`phems.services.output_checks.OutputChecks`)."""

    def report(
        self, project: str, request_id: str, turn: int, files: Sequence[FrozenFile], rules: ProjectRules
    ) -> CheckReport:
        """The findings; raises `UnavailableError` when the checks cannot be run as the policy wants."""
        ...


class ReleaseActs:
    """The ground that the use cases of release requests stand on."""

    def __init__(
        self,
        governance: Governance,
        artifacts: ArtifactAreas,
        frozen: FrozenFiles,
        zone: ReleaseZone,
        access: ProjectAccess,
        clock: Clock,
        *,
        code: ArtifactAreas,
        checks: RequestChecks,
        signatures: VoteSignatures,
    ) -> None:
        self._governance = governance
        self._freezer = Freezer(governance, artifacts, frozen, code)
        self._frozen = frozen
        self._zone = zone
        self._access = access
        self._clock = clock
        self._checks = checks
        self._signatures = signatures

    def _change(
        self,
        actor: Actor,
        name: str,
        verb: str,
        change: Change,
        record: Callable[[Transaction, ReleaseRequest, ReleaseRequest], None] | None = None,
    ) -> ReleaseView:
        """Permission, rule, state and audit entry of an act on a request; `record` writes another entry."""
        permission = PERMISSIONS[verb]
        with self._governance.transaction() as work:
            project = self._visible(work, actor, name).project
        with recorded_refusals(self._governance, actor, verb, name, project=project):
            self._access.check(actor, permission, project)
            with self._governance.transaction() as work:
                before = self._visible(work, actor, name, lock=True)
                request = change(work, before)
                work.releases.save(request)
                if record is None:
                    recorded(work, actor, verb, request, before)
                else:
                    record(work, request, before)
                _record_what_follows(work, request, before, verb)
                work.releases.announce(name)
                return self._view(work, actor, request)

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

    def _view(self, work: Transaction, actor: Actor, request: ReleaseRequest) -> ReleaseView:
        report = work.output_checks.of(request.id, request.turn)
        return seen_by(request, actor.name, checker=self._is_checker(actor, request), report=report)


def recorded(
    work: Transaction,
    actor: Actor,
    verb: str,
    request: ReleaseRequest,
    before: ReleaseRequest | None,
    **details: Any,
) -> None:
    """Write an act's audit entry: never a file's name, nor a text that may quote an unreleased result.

    Why somebody decided so is kept with the request; only what goes out with a package, the reason of a
    revocation, is in the log as well.
    """
    told = {"reason": request.reason} if request.reason and verb == "release.revoke" else {}
    work.audit.append(
        actor,
        verb,
        request.id,
        project=request.project,
        details={
            "turn": request.turn,
            "before": before.state.value if before else None,
            "after": request.state.value,
            "policy_version": work.policies.current(request.project).label,
            **({"reason_given": True} if request.reason and not told else {}),
            **told,
            **details,
        },
    )


def _record_what_follows(
    work: Transaction, request: ReleaseRequest, before: ReleaseRequest, verb: str
) -> None:
    """What the node does of itself, each with its own entry: opening sealed votes, approving by the last."""
    blind = ReviewPhase.INDEPENDENT
    if before.phase() is blind and request.phase() is not blind:
        sealed = [vote for vote in (*before.replaced_votes, *before.votes) if vote.turn == request.turn]
        lines = [opened(before, vote) for vote in sealed]
        recorded(work, NODE, "release.open_votes", request, request, votes=lines)
    if verb == "release.vote" and request.state is ReleaseState.APPROVED:
        files = digests(request.approved_files())
        recorded(work, NODE, "release.approve", request, before, files=files)


def digests(files: Sequence[FrozenFile]) -> list[str]:
    """Files as the audit log names them: by the SHA-256 of their content, for their names are outputs too."""
    return sorted(file.sha256 for file in files)


def policy_of(rules: ProjectRules) -> ReleasePolicy:
    """The rules that a turn is reviewed under."""
    on_fail = str(rules.checks.get("on_fail", "justify"))
    return ReleasePolicy(rules.policy, rules.votes, rules.file_types, rules.max_file_size, on_fail)


def type_rule(rules: ProjectRules) -> TypeRule:
    """The rule on names, types and sizes."""
    return TypeRule(rules.policy, rules.file_types, rules.max_file_size)
