"""What authors do with release requests: ask, ask again, take a file out, take the request back.

A turn begins PENDING, with its files frozen; the output checks look at these bytes, and then, in one
transaction with their findings, the request is SUBMITTED. When the checks cannot be run, or the node stops
meanwhile, it stays PENDING and is submitted later.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from phems.domain.actors import Actor
from phems.domain.output_checks import CheckReport
from phems.domain.release_states import ReleaseAction
from phems.domain.release_views import ReleaseView
from phems.domain.releases import (
    ReleaseRequest,
    acted,
    asked_again,
    authors_of,
    check_author,
    file_withdrawn,
    request_id,
    withdrawn,
)
from phems.domain.review import moved_by_votes
from phems.errors import UnavailableError
from phems.services.ports import Transaction
from phems.services.refusals import recorded_refusals
from phems.services.release_acts import ReleaseActs, digests, policy_of, recorded, type_rule
from phems.services.release_asks import AskedGroup, Case, Choice, file_groups
from phems.services.release_groups import picked

Told = Callable[[str], None]


def silent(_: str) -> None:
    """Tells nobody how far it is."""


class AuthorActs(ReleaseActs):
    """The authors' use cases. `told` is called with a line on what is being done, for who waits."""

    def request(
        self, actor: Actor, project: str, choice: Choice, case: Case, *, told: Told = silent
    ) -> ReleaseView:
        """Ask that outputs leave the node, as one file group."""
        return self.request_groups(actor, project, (AskedGroup(case, choice),), told=told)

    def request_groups(
        self, actor: Actor, project: str, groups: Sequence[AskedGroup], *, told: Told = silent
    ) -> ReleaseView:
        """Ask that outputs leave the node: they are frozen, checked and submitted."""
        rules = self._access.check(actor, "release.request", project)
        file_groups(groups)
        name = request_id(secrets.token_bytes(5))
        with recorded_refusals(self._governance, actor, "release.request", name, project=project):
            with self._governance.transaction() as work:
                found = picked(work, project, groups)
            told("Freezing the files")
            files = found.freeze(self._freezer, name, 1, type_rule(rules))
            with self._discarding(name, 1), self._governance.transaction() as work:
                request = ReleaseRequest(
                    id=name,
                    project=project,
                    requester=actor.name,
                    authors=authors_of(actor.name, found.runs),
                    policy=policy_of(rules),
                    requested_at=self._clock.now(),
                    groups=found.groups,
                    files=files,
                    runs=found.runs,
                )
                work.releases.save(request)
                recorded(work, actor, "release.request", request, None, files=digests(files))
        return self.submit(actor, name, told=told)

    def resubmit(
        self, actor: Actor, name: str, choice: Choice, case: Case, *, told: Told = silent
    ) -> ReleaseView:
        """Ask again with a returned request, as one file group."""
        return self.resubmit_groups(actor, name, (AskedGroup(case, choice),), told=told)

    def resubmit_groups(
        self, actor: Actor, name: str, groups: Sequence[AskedGroup], *, told: Told = silent
    ) -> ReleaseView:
        """Ask again with a returned request, in a new turn: new files, votes afresh, the history kept."""
        file_groups(groups)
        with self._governance.transaction() as work:
            project = self._visible(work, actor, name).project
        rules = self._access.check(actor, "release.request", project)
        with (
            recorded_refusals(self._governance, actor, "release.request", name, project=project),
            self._governance.transaction() as work,
        ):
            # Locked while the files are copied: two who ask again at once would freeze into one folder.
            before = self._visible(work, actor, name, lock=True)
            acted(before, ReleaseAction.REQUEST, by=actor.name, at=self._clock.now())
            found = picked(work, project, groups)
            told("Freezing the files")
            turn = before.turn + 1
            with self._discarding(name, turn):
                request = asked_again(
                    before,
                    by=actor.name,
                    policy=policy_of(rules),
                    groups=found.groups,
                    files=found.freeze(self._freezer, name, turn, type_rule(rules)),
                    runs=found.runs,
                    at=self._clock.now(),
                )
                work.releases.save(request)
                recorded(work, actor, "release.request", request, before, files=digests(request.files))
        return self.submit(actor, name, told=told)

    def submit(self, actor: Actor, name: str, *, told: Told = silent) -> ReleaseView:
        """Have the files of a PENDING request checked, and hand it to the checkers with what was found."""
        with self._governance.transaction() as work:
            pending = self._visible(work, actor, name)
        with recorded_refusals(self._governance, actor, "release.submit", name, project=pending.project):
            self._check_may_submit(actor, pending)
        report = self._checked(pending, told)

        def change(work: Transaction, request: ReleaseRequest) -> ReleaseRequest:
            submitted = acted(request, ReleaseAction.SUBMIT, by=actor.name, at=self._clock.now())
            work.output_checks.save(name, request.turn, report)
            return submitted

        def record(work: Transaction, request: ReleaseRequest, before: ReleaseRequest) -> None:
            verdicts = Counter(finding.verdict.value for finding in report.findings)
            found = {"checks": dict(sorted(verdicts.items())), "tools": dict(report.tools)}
            recorded(work, actor, "release.submit", request, before, **found)

        return self._change(actor, name, "release.submit", change, record)

    def withdraw(self, actor: Actor, name: str, *, reason: str = "") -> ReleaseView:
        """Take a request back, until it is released."""
        return self._change(
            actor,
            name,
            "release.withdraw",
            lambda _, request: withdrawn(request, actor.name, at=self._clock.now(), reason=reason.strip()),
        )

    def withdraw_file(self, actor: Actor, name: str, path: str) -> ReleaseView:
        """Take one file out of a request that is under review; it stays on record, and never leaves."""

        def change(_: Transaction, request: ReleaseRequest) -> ReleaseRequest:
            now = self._clock.now()
            # An author's act completes a review at most; a checker approves what is left.
            return moved_by_votes(file_withdrawn(request, actor.name, path, at=now), now, approve=False)

        def record(work: Transaction, request: ReleaseRequest, before: ReleaseRequest) -> None:
            digest = request.file(path).sha256
            recorded(work, actor, "release.withdraw_file", request, before, file=digest)

        return self._change(actor, name, "release.withdraw_file", change, record)

    def _check_may_submit(self, actor: Actor, request: ReleaseRequest) -> None:
        """Refuse early, before anything is checked, what `submit` would refuse."""
        self._access.check(actor, "release.request", request.project)
        check_author(request, actor.name, "submit", f"See it with: phems release show {request.id}")
        acted(request, ReleaseAction.SUBMIT, by=actor.name, at=request.requested_at)

    def _checked(self, request: ReleaseRequest, told: Told) -> CheckReport:
        rules = self._access.rules(request.project)
        told(f"{request.id} is PENDING: checking {len(request.outputs())} files")
        try:
            return self._checks.report(request.project, request.id, request.turn, request.files, rules)
        except UnavailableError as error:
            raise UnavailableError(
                f"The release request {request.id} stays PENDING: {error.what}",
                why=error.why,
                remedy=f"{error.remedy} Then: phems release submit {request.id}".strip(),
            ) from error

    @contextmanager
    def _discarding(self, name: str, turn: int) -> Iterator[None]:
        """Remove what was frozen when the request does not come about."""
        try:
            yield
        except BaseException:
            self._freezer.discard(name, turn)
            raise
