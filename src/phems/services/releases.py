"""The use cases of release requests: of authors and checkers, of owners, and what all of them read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phems.domain.actors import Actor
from phems.domain.live_changes import WITHHELD
from phems.domain.release_comments import commented
from phems.domain.release_history import HistoryEvent, history_of
from phems.domain.release_states import UNDER_REVIEW, ReleaseAction, ReleaseState
from phems.domain.release_views import ReleaseView, seen_at_turn, seen_by
from phems.domain.releases import CommentVisibility, FrozenFile, ReleaseRequest, acted, shown_state
from phems.domain.votes import ReviewPhase
from phems.errors import RefusedError
from phems.services.ports import Transaction
from phems.services.release_acts import recorded
from phems.services.release_asks import AskedGroup, Case, Choice
from phems.services.release_authors import AuthorActs
from phems.services.release_checkers import CheckerActs, reason_given

__all__ = ["AskedGroup", "Case", "Choice", "Releases"]


class Releases(AuthorActs, CheckerActs):
    """All use cases of release requests; the authors' and the checkers' stand in modules of their own."""

    def revoke(self, actor: Actor, name: str, *, reason: str) -> ReleaseView:
        """Take an approval or a release back. What was handed over already cannot be called back."""
        told, action = reason_given("revoke", name, reason), ReleaseAction.REVOKE
        return self._change(
            actor,
            name,
            "release.revoke",
            lambda _, request: acted(request, action, by=actor.name, at=self._clock.now(), reason=told),
        )

    def comment(
        self, actor: Actor, name: str, text: str, *, private: bool = False, group: str | None = None
    ) -> ReleaseView:
        """Say something about a request or one of its file groups; PRIVATE stays among the checkers."""
        visibility = CommentVisibility.PRIVATE if private else CommentVisibility.PUBLIC

        def change(_: Transaction, request: ReleaseRequest) -> ReleaseRequest:
            checker, now = self._is_checker(actor, request), self._clock.now()
            return commented(request, actor.name, text, visibility, checker=checker, group=group, at=now)

        def record(work: Transaction, request: ReleaseRequest, before: ReleaseRequest) -> None:
            # The text stays in the request: it may quote unreleased results, which the audit log must not.
            withheld = {WITHHELD: True} if _is_withheld(request, actor) else {}
            recorded(work, actor, "release.comment", request, before, visibility=visibility.value, **withheld)

        return self._change(actor, name, "release.comment", change, record)

    def list(
        self, actor: Actor, project: str, *, limit: int | None = None, before: str | None = None
    ) -> Sequence[ReleaseView]:
        """The project's requests, newest first, as this person may see them; `limit` of them.

        With the name of a request in `before`, those that were asked for before it.
        """
        self._access.check(actor, "release.list", project)
        with self._governance.transaction() as work:
            found = work.releases.of_project(project, limit=limit, before=before)
            reports = work.output_checks.of_many([(request.id, request.turn) for request in found])
            return [
                seen_by(
                    request,
                    actor.name,
                    checker=self._is_checker(actor, request),
                    report=reports.get((request.id, request.turn)),
                )
                for request in found
            ]

    def show(self, actor: Actor, name: str, *, turn: int | None = None) -> ReleaseView:
        """One request, or an earlier turn of it, as this person may see it."""
        with self._governance.transaction() as work:
            request = self._visible(work, actor, name)
            if turn is None or turn == request.turn:
                return self._view(work, actor, request)
            return seen_at_turn(
                request,
                actor.name,
                turn,
                work.releases.files_of_turn(name, turn),
                checker=self._is_checker(actor, request),
                report=work.output_checks.of(name, turn),
            )

    def history(self, actor: Actor, name: str) -> Sequence[HistoryEvent]:
        """All that was done to a request and may be seen by this person, oldest first."""
        with self._governance.transaction() as work:
            view = self._view(work, actor, self._visible(work, actor, name))
            earlier = {
                ended.turn: work.releases.files_of_turn(name, ended.turn)
                for ended in view.request.ended_turns
            }
        return history_of(view, earlier)

    def read_file(self, actor: Actor, name: str, path: str, *, turn: int | None = None) -> Iterator[bytes]:
        """The frozen bytes of a file, for review inside the node. The view is audited before it happens."""
        request, _ = self.looked_at(actor, name, path, turn=turn)
        return self._frozen.chunks(name, request.turn, path)

    def looked_at(
        self, actor: Actor, name: str, path: str, *, turn: int | None = None
    ) -> tuple[ReleaseRequest, FrozenFile]:
        """Record that somebody looks at a file, before they do; gives its request, as they see it, and it."""
        request = self.show(actor, name, turn=turn).request
        file = request.file(path)
        with self._governance.transaction() as work:
            recorded(work, actor, "release.view", request, request, file=file.sha256)
        return request, file

    def download(self, actor: Actor, name: str, target: Path) -> Path:
        """Copy a released package to `target/<name>`, verified. The download is audited before it happens."""
        with self._governance.transaction() as work:
            request = self._visible(work, actor, name)
            self._access.check(actor, "release.download", request.project)
            if request.state is not ReleaseState.RELEASED:
                state = shown_state(request, actor.name).value
                raise RefusedError(
                    f"The release request {name} cannot be downloaded.",
                    why=f"it is {state}; only RELEASED packages leave the node.",
                    remedy=f"phems release show {name}",
                )
            recorded(work, actor, "release.download", request, request)
        return self._zone.copy_to(name, target)


def _is_withheld(request: ReleaseRequest, actor: Actor) -> bool:
    """Whether what a checker says now is seen by nobody else, since checkers are blind to each other."""
    blind = request.state in UNDER_REVIEW and request.phase() is ReviewPhase.INDEPENDENT
    return blind and actor.name not in request.authors
