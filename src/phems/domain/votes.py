"""Votes on files, the decisions they amount to, and the phase of a review: all computed, none stored.

`needed` is the policy's number of independent checkers. Votes are given per file as a mapping of
checker to vote, of the present turn only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum


class Vote(StrEnum):
    """One checker's word on a file."""

    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    UNDECIDED = "UNDECIDED"


class Decision(StrEnum):
    """What the votes on a file amount to."""

    APPROVED = "APPROVED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    CONFLICTED = "CONFLICTED"
    INCOMPLETE = "INCOMPLETE"


class ReviewPhase(StrEnum):
    """How far a review is; while INDEPENDENT, the checkers are blind to each other."""

    INDEPENDENT = "INDEPENDENT"
    CONSOLIDATING = "CONSOLIDATING"
    COMPLETE = "COMPLETE"


FileVotes = Mapping[str, Vote]

# (enough approvals, enough requests for changes, enough votes in all) -> decision
_DECISIONS: Mapping[tuple[bool, bool, bool], Decision] = {
    (True, False, True): Decision.APPROVED,
    (False, True, True): Decision.CHANGES_REQUESTED,
    (True, True, True): Decision.CONFLICTED,
    (False, False, True): Decision.CONFLICTED,
    (False, False, False): Decision.INCOMPLETE,
}

DECIDED = frozenset({Decision.APPROVED, Decision.CHANGES_REQUESTED})


def file_decision(votes: FileVotes, needed: int) -> Decision:
    """The decision on one file: `needed` checkers must agree; a further checker settles a conflict."""
    words = list(votes.values())
    approvals, changes = words.count(Vote.APPROVED), words.count(Vote.CHANGES_REQUESTED)
    return _DECISIONS[approvals >= needed, changes >= needed, approvals + changes >= needed]


def review_phase(files: Iterable[FileVotes], heard: Iterable[Collection[str]], needed: int) -> ReviewPhase:
    """COMPLETE once every file is decided; INDEPENDENT until every file was voted on by `needed` checkers.

    `files` has the votes that stand, `heard` for each file the checkers who ever gave their word on it,
    taken back or not: who has seen the others' votes cannot become blind to them again.
    """
    every_file = list(files)
    if every_file and all(file_decision(votes, needed) in DECIDED for votes in every_file):
        return ReviewPhase.COMPLETE
    if not every_file or any(len(checkers) < needed for checkers in heard):
        return ReviewPhase.INDEPENDENT
    return ReviewPhase.CONSOLIDATING
