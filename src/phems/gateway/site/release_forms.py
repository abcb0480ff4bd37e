"""What the forms of a release request do: each calls one use case, and leads back to the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from phems.domain.release_views import ReleaseView
from phems.domain.review import Ballot
from phems.domain.votes import Vote
from phems.errors import InputError
from phems.gateway.site.ask import ACT_DONE, Ask, address, one_of
from phems.gateway.site.page import ACT_FIELD, Act
from phems.gateway.site.seen import check_seen
from phems.services.release_summaries import summary_of

DECISIONS = ("approve", "return", "reject")
VOTE, JUSTIFICATION, REASON = "vote:", "justification:", "reason:"
"""A field on a file is named by one of these and the file's path."""


def vote(ask: Ask) -> str:
    """Vote on the files that were chosen on; those left as they were are not voted on anew."""
    name, view = ask.name("request"), _view(ask)
    ballots = list(ballots_of(ask, view))
    if not ballots:
        raise InputError(
            "There is no vote to record.", why="no file was chosen on, or none otherwise than before."
        )
    ask.cases.releases.vote(ask.person, name, ballots, turn=reviewed_turn(ask))
    return _back(ask, "release.vote")


def comment(ask: Ask) -> str:
    """Say something about the request, or about one of its groups."""
    ask.cases.releases.comment(
        ask.person,
        ask.name("request"),
        ask.text("text"),
        private=ask.text("private") == "yes",
        group=ask.text("group") or None,
    )
    return _back(ask, "release.comment")


def decide(ask: Ask) -> str:
    """Let the approved files go, give the request back, or refuse it for good."""
    decision = one_of(ask.text("decision"), DECISIONS, what="What becomes of the request")
    _check_seen(ask)
    releases, name, reason, turn = (
        ask.cases.releases,
        ask.name("request"),
        ask.text("reason"),
        reviewed_turn(ask),
    )
    if decision == "approve":
        releases.approve(ask.person, name, reason=reason, turn=turn)
    elif decision == "return":
        releases.return_(ask.person, name, reason=reason, turn=turn)
    else:
        releases.reject(ask.person, name, reason=reason, turn=turn)
    return _back(ask, f"release.{decision}")


def submit(ask: Ask) -> str:
    """Have the files of a pending request checked, and hand it to the checkers."""
    ask.cases.releases.submit(ask.person, ask.name("request"))
    return _back(ask, "release.submit")


def withdraw(ask: Ask) -> str:
    """Take the request back."""
    _check_seen(ask)
    ask.cases.releases.withdraw(ask.person, ask.name("request"), reason=ask.text("withdraw_reason"))
    return _back(ask, "release.withdraw")


def withdraw_file(ask: Ask) -> str:
    """Take one file out of the request."""
    _check_seen(ask)
    ask.cases.releases.withdraw_file(ask.person, ask.name("request"), str(ask.fields.get("path", "")))
    return _back(ask, "release.withdraw-file")


def revoke(ask: Ask) -> str:
    """Take an approval or a release back."""
    _check_seen(ask)
    ask.cases.releases.revoke(ask.person, ask.name("request"), reason=ask.text("revoke_reason"))
    return _back(ask, "release.revoke")


FORMS: Mapping[str, Act] = {
    "vote": vote,
    "comment": comment,
    "decide": decide,
    "submit": submit,
    "withdraw": withdraw,
    "withdraw-file": withdraw_file,
    "revoke": revoke,
}

# What an error is about, by the form: where the summary of an error leads.
FIELDS: Mapping[str, str] = {
    "vote": "votes",
    "comment": "text",
    "decide": "decide",
    "submit": "submit",
    "withdraw": "withdraw_reason",
    "withdraw-file": "files",
    "revoke": "revoke_reason",
}


def missing_reason(ask: Ask) -> str:
    """The field that a decision which failed leaves wanting: why, when what becomes of it was chosen."""
    decides = ask.text(ACT_FIELD) == "decide" and ask.text("decision") in DECISIONS
    return "reason" if decides and not ask.text("reason") else ""


def reviewed_turn(ask: Ask) -> int:
    """The turn that the form was made for."""
    given = ask.text("turn")
    if not given.isascii() or not given.isdigit():
        raise InputError("The form does not say which turn it is about.", remedy="Open the page again.")
    return int(given)


def ballots_of(ask: Ask, view: ReleaseView, *, only: str | None = None) -> Iterator[Ballot]:
    """The votes of a form that are otherwise than what stands; `only` on one file."""
    own = {
        file.path: view.request.votes_on(file.path).get(ask.person.name) for file in view.request.outputs()
    }
    for field in ask.fields:
        if not field.startswith(VOTE):
            continue
        path = field.removeprefix(VOTE)
        if only is not None and path != only:
            continue
        chosen = Vote(one_of(ask.text(field), list(Vote), what="A vote"))
        justification, reason = ask.text(JUSTIFICATION + path), ask.text(REASON + path)
        if chosen is not own.get(path) or justification or reason:
            yield Ballot(path, chosen, justification, reason)


def _view(ask: Ask) -> ReleaseView:
    return ask.cases.releases.show(ask.person, ask.name("request"))


def _check_seen(ask: Ask) -> None:
    check_seen(ask, summary_of(_view(ask)), name=f"The release request {ask.name('request')}")


def _back(ask: Ask, done: str) -> str:
    return address("releases", ask.name("request"), **{ACT_DONE: done})
