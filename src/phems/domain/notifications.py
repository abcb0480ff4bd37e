"""Telling people that they are waited for: what is said, what is left out, and when it is tried again.

A notification leaves the node. So it holds who is waited for, in which project, for which kind of act, and
the page where it is done: never a file's name, a reason, a comment or a number of anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from urllib.parse import quote

from phems.domain.policy_versions import NODE_SCOPE
from phems.domain.waiting import Task, TaskKind

Channel = Literal["mail", "webhook"]
GRANT_ENDS = "grant ends"
BEFORE_A_GRANT_ENDS = timedelta(days=7)

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))
"""Before each further try; a notification that fails once more after the last is given up."""


@dataclass(frozen=True, slots=True)
class Notice:
    """That somebody is waited for, as it is told. The same is told once: `since` tells two turns apart."""

    kind: str
    project: str
    subject: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Notification:
    """A notice on its way to a person by mail, or to the webhook with all whom it is about."""

    number: int
    channel: Channel
    people: tuple[str, ...]
    notice: Notice
    attempts: int = 0


_WHAT: Mapping[str, tuple[str, str]] = {
    TaskKind.VOTE: ("A release request of {where} waits for a vote.", "/releases/{subject}"),
    TaskKind.SETTLE: ("The checkers of a release request of {where} disagree.", "/releases/{subject}"),
    TaskKind.DECIDE: ("A release request of {where} waits for a decision.", "/releases/{subject}"),
    TaskKind.RESUBMIT: ("A release request of {where} was returned to its author.", "/releases/{subject}"),
    TaskKind.APPROVE_CODE: (
        "A code revision of {where} waits for an approval.",
        "/projects/{project}/code/{subject}",
    ),
    TaskKind.APPROVE_CAPSULE: (
        "A run capsule of {where} waits for an approval.",
        "/projects/{project}/capsules/{subject}",
    ),
    TaskKind.CONFIRM_POLICY: (
        "A policy version of {where} waits for a second person.",
        "/policies/{project}/{subject}",
    ),
    GRANT_ENDS: ("A data grant of {where} ends within a week.", "/projects/{project}"),
}
"""What is told, by its kind, and the page that it leads to. What one has begun oneself is not told."""


def notice_of(task: Task) -> Notice | None:
    """The notice of a task; None for one that nobody else waits for."""
    if task.kind not in _WHAT:
        return None
    return Notice(task.kind.value, task.project, task.subject, task.since)


def ending_grants(grants: Mapping[str, Collection[date]], now: datetime) -> Collection[Notice]:
    """The notices of grants that end soon, by the last days of each project's."""
    return [
        Notice(
            GRANT_ENDS,
            project,
            last.isoformat(),
            datetime(last.year, last.month, last.day, tzinfo=now.tzinfo),
        )
        for project, days in grants.items()
        for last in sorted(set(days))
        if timedelta(0) <= last - now.date() <= BEFORE_A_GRANT_ENDS
    ]


def sentence(notice: Notice) -> str:
    """What is told, in a sentence."""
    where = "the node" if notice.project == NODE_SCOPE else f"the project {notice.project}"
    return _WHAT[notice.kind][0].format(where=where)


def path(notice: Notice) -> str:
    """The page where it is done."""
    project = "-" if notice.project == NODE_SCOPE else notice.project
    return _WHAT[notice.kind][1].format(
        project=quote(project, safe=""), subject=quote(notice.subject, safe="")
    )


def next_try(attempts: int, now: datetime) -> datetime | None:
    """When one that has failed so many times is tried again; None when it is given up."""
    return now + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None
