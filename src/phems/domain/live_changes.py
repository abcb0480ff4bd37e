"""Which open pages an audit entry is news for: the topic that changed, and whom it may be told.

That something changed is itself told to those alone who may see what changed. While checkers are blind to
each other, nobody learns that one of them has voted or written; while they consolidate, authors do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from phems.domain.canonical import canonical, parse
from phems.domain.permissions import PERMISSIONS, Verb
from phems.domain.release_states import ReleaseState

Topic = Literal["audit", "capsule", "code", "policy", "release", "run"]

WITHHELD = "withheld"
"""Says of a comment's audit entry that nobody but its author sees the comment yet."""

# The noun of an action -> the topic of the pages that show it, and what it takes to see them.
TOPICS: Mapping[str, tuple[Topic, Verb]] = {
    "capsule": ("capsule", "capsule.list"),
    "code": ("code", "code.list"),
    "output": ("run", "run.list"),
    "policy": ("policy", "policy.list"),
    "release": ("release", "release.list"),
    "run": ("run", "run.list"),
}

# By these nothing changes that a page shows; a page that is read again must not be told of its own reading.
READING_NOUN = "audit"
READINGS = frozenset({"release.download", "release.view"})

# What checkers do among themselves, until the review is over.
_AMONG_CHECKERS = frozenset({"release.annul_vote", "release.open_votes", "release.vote"})
_IN_REVIEW = frozenset({ReleaseState.SUBMITTED.value, ReleaseState.PARTIALLY_REVIEWED.value})


@dataclass(frozen=True)
class Changed:
    """Something of a topic changed, in a project or (None) on the node, for who may do `needs` there."""

    topic: Topic
    project: str | None
    needs: Verb

    def as_text(self) -> str:
        """For a notification."""
        return canonical({"topic": self.topic, "project": self.project, "needs": self.needs}).decode()


def changed_from(text: str) -> Changed | None:
    """Read `as_text`; None for anything else."""
    try:
        told = parse(text)
        changed = Changed(told["topic"], told["project"], told["needs"])
    except (KeyError, TypeError, ValueError):
        return None
    is_known = changed.topic == "audit" or any(changed.topic == topic for topic, _ in TOPICS.values())
    return changed if is_known and changed.needs in PERMISSIONS else None


def changes_by(
    action: str, project: str | None, result: str, details: Mapping[str, Any]
) -> tuple[Changed, ...]:
    """What an audit entry is news of: nothing, the audit log, or also the subject of the act."""
    noun = action.partition(".")[0]
    if noun == READING_NOUN or action in READINGS:
        return ()
    log = Changed("audit", None, "audit.read")
    found = TOPICS.get(noun)
    if found is None or result != "done":
        return (log,)
    topic, needs = found
    narrowed = _needs_in_review(action, details) if topic == "release" else needs
    return (log,) if narrowed is None else (log, Changed(topic, project, narrowed))


def _needs_in_review(action: str, details: Mapping[str, Any]) -> Verb | None:
    """What it takes to be told of an act on a release request; None: nobody is."""
    is_sealed = any("sealed" in line for line in details.get("votes", ()))
    if is_sealed or details.get(WITHHELD):
        return None
    among_checkers = action in _AMONG_CHECKERS and details.get("after") in _IN_REVIEW
    is_private = details.get("visibility") == "PRIVATE"
    return "release.vote" if among_checkers or is_private else "release.list"
