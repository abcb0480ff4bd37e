"""What one person may do with a release request now, and what they can do next, in words.

What is offered is what the use cases would allow; they decide, and refuse whatever else is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from phems.domain.release_states import RELEASE_REQUESTS, UNDER_REVIEW, ReleaseAction, ReleaseState
from phems.domain.release_views import ReleaseView
from phems.domain.votes import Decision, ReviewPhase, Vote
from phems.gateway.site.ask import Ask, address
from phems.gateway.spelling import count

STATES: Mapping[ReleaseState, str] = {
    ReleaseState.PENDING: "Its files are frozen. They wait to be checked.",
    ReleaseState.SUBMITTED: "It waits for the votes of the checkers.",
    ReleaseState.PARTIALLY_REVIEWED: "Its checkers are voting.",
    ReleaseState.REVIEWED: "Every file is decided, not all are approved: a checker says what becomes of it.",
    ReleaseState.RETURNED: "A checker gave it back to its author, who may change it and ask again.",
    ReleaseState.APPROVED: "It is approved. The node is publishing it.",
    ReleaseState.RELEASED: "Its package has left for the release zone.",
    ReleaseState.REJECTED: "It was refused for good.",
    ReleaseState.WITHDRAWN: "An author took it back.",
    ReleaseState.REVOKED: "It was approved, and an Information Asset Owner took that back.",
}
PHASES: Mapping[ReviewPhase, str] = {
    ReviewPhase.INDEPENDENT: "Checkers vote on their own: nobody sees the votes of others before all voted.",
    ReviewPhase.CONSOLIDATING: "The checkers see each other's votes, and settle what they differ on.",
    ReviewPhase.COMPLETE: "Every file is decided.",
}


@dataclass(frozen=True)
class Standing:
    """What this person may do with this request, in its state of now."""

    is_author: bool
    is_checker: bool
    may_vote: bool
    may_approve_part: bool
    may_return: bool
    may_reject: bool
    may_submit: bool
    may_ask_again: bool
    may_withdraw: bool
    may_withdraw_file: bool
    may_revoke: bool
    may_comment: bool
    may_download: bool

    @property
    def may_decide(self) -> bool:
        """Whether there is a decision on the request as a whole to take."""
        return self.may_return or self.may_reject or self.may_approve_part


@dataclass(frozen=True)
class Step:
    """Something to do next, or to wait for; `link` is where."""

    words: str
    link: str | None = None
    action: str = ""
    """What the link is called; empty when there is none."""


def standing(ask: Ask, view: ReleaseView) -> Standing:
    """Where the person stands to the request of a view. Nobody does anything with an earlier turn."""
    request, project = view.request, view.request.project
    author = ask.person.name in request.authors
    checker = ask.may("release.vote", project) and not author

    def allows(action: ReleaseAction) -> bool:
        return RELEASE_REQUESTS.allows(request.state, action)

    approved = any(decision is Decision.APPROVED for decision in view.decisions.values())
    withdraws = author and ask.may("release.withdraw", project)
    requests = ask.may("release.request", project)
    return Standing(
        is_author=author,
        is_checker=checker,
        may_vote=checker and request.state in UNDER_REVIEW,
        may_approve_part=checker and allows(ReleaseAction.APPROVE) and approved,
        may_return=checker and allows(ReleaseAction.RETURN),
        may_reject=checker and allows(ReleaseAction.REJECT),
        may_submit=author and requests and allows(ReleaseAction.SUBMIT),
        may_ask_again=requests and request.state is ReleaseState.RETURNED,
        may_withdraw=withdraws and allows(ReleaseAction.WITHDRAW),
        may_withdraw_file=withdraws and allows(ReleaseAction.WITHDRAW_FILE) and len(request.outputs()) > 1,
        may_revoke=ask.may("release.revoke", project) and allows(ReleaseAction.REVOKE),
        may_comment=ask.may("release.comment", project),
        may_download=ask.may("release.download", project) and request.state is ReleaseState.RELEASED,
    )


def unvoted(view: ReleaseView, person: str) -> list[str]:
    """The files that still wait for this checker's vote, by path."""
    votes = {file.path: view.request.votes_on(file.path).get(person) for file in view.request.outputs()}
    return [path for path, vote in votes.items() if vote in (None, Vote.UNDECIDED)]


def next_steps(ask: Ask, view: ReleaseView, may: Standing) -> list[Step]:
    """What this person can do next with the request, first things first."""
    return [step for step in (find(ask, view, may) for find in _STEPS) if step is not None]


def _vote(ask: Ask, view: ReleaseView, may: Standing) -> Step | None:
    if not may.may_vote:
        return None
    waiting = unvoted(view, ask.person.name)
    if waiting:
        verb = "waits" if len(waiting) == 1 else "wait"
        link = address("releases", view.request.id, "file", path=waiting[0])
        return Step(f"{count(len(waiting), 'file')} {verb} for your vote.", link, "Look at the first of them")
    if view.phase is ReviewPhase.INDEPENDENT:
        return Step("You have voted on every file. The others' votes show here once they have voted too.")
    return None


def _consolidate(_: Ask, view: ReleaseView, may: Standing) -> Step | None:
    if not may.may_vote or view.phase is not ReviewPhase.CONSOLIDATING:
        return None
    open_files = [path for path, decision in view.decisions.items() if decision is Decision.CONFLICTED]
    words = (
        f"The checkers differ on {count(len(open_files), 'file')}. Say why in a comment, or change your vote."
    )
    return Step(words, "#votes", "Go to the votes")


def _decide(_: Ask, view: ReleaseView, may: Standing) -> Step | None:
    if view.request.state is not ReleaseState.REVIEWED or not may.may_decide:
        return None
    return Step("Every file is decided. Say what becomes of the request.", "#decide", "Decide")


def _submit(_: Ask, __: ReleaseView, may: Standing) -> Step | None:
    words = "The output checks have not run on it yet, so no checker sees it."
    return Step(words, "#submit", "Have it checked and submitted") if may.may_submit else None


def _again(_: Ask, view: ReleaseView, may: Standing) -> Step | None:
    if not may.may_ask_again:
        return None
    link = address("releases", view.request.id, "again")
    return Step("It was given back. Change what was asked for, and ask again.", link, "Ask again")


def _download(_: Ask, view: ReleaseView, may: Standing) -> Step | None:
    if not may.may_download:
        return None
    link = address("releases", view.request.id, "package")
    return Step("It is released.", link, "Download the package (tar)")


def _wait(_: Ask, view: ReleaseView, may: Standing) -> Step | None:
    if not may.is_author or view.request.state not in UNDER_REVIEW:
        return None
    return Step("Nothing for you to do: the checkers are at it. You will see here what they decide.")


_STEPS: tuple[Callable[[Ask, ReleaseView, Standing], Step | None], ...] = (
    _vote,
    _consolidate,
    _decide,
    _submit,
    _again,
    _download,
    _wait,
)
