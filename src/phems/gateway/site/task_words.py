"""How a task is put to the person it waits for, and where it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from phems.domain.policy_versions import NODE_SCOPE
from phems.domain.waiting import Task, TaskKind, Underway
from phems.gateway.node_scope import NODE
from phems.gateway.site.ask import address
from phems.gateway.spelling import count, short


@dataclass(frozen=True)
class Line:
    """A line of a list of tasks."""

    text: str
    link: str
    project: str
    since: datetime
    state: str = ""


def _files(task: Task, one: str, many: str) -> str:
    return f"{count(task.count, 'file')} {one if task.count == 1 else many} in {task.subject}"


def _policy(task: Task) -> str:
    whose = f"of {task.project}" if task.project != NODE_SCOPE else "of the node"
    return (
        f"Policy version {task.subject} {whose} loosens a rule, and waits for a second person to confirm it"
    )


# A task -> what is said of it.
WORDS: Mapping[TaskKind, Callable[[Task], str]] = {
    TaskKind.VOTE: lambda task: _files(task, "waits for your vote", "wait for your vote"),
    TaskKind.SETTLE: lambda task: _files(
        task, "is disputed among the checkers", "are disputed among the checkers"
    ),
    TaskKind.DECIDE: lambda task: f"Every file of {task.subject} has its votes: decide on the request",
    TaskKind.SUBMIT: lambda task: f"Your request {task.subject} is not with the checkers yet",
    TaskKind.RESUBMIT: lambda task: f"Your request {task.subject} was returned",
    TaskKind.APPROVE_CODE: lambda task: f"A code revision of {task.project} waits for your approval",
    TaskKind.APPROVE_CAPSULE: lambda task: f"A run capsule of {task.project} waits for your approval",
    TaskKind.LAUNCH: lambda task: f"Your run capsule {short(task.subject)} is approved: launch the run again",
    TaskKind.CONFIRM_POLICY: _policy,
}

_OWN = {"code revision": "code", "run capsule": "capsules"}


def task_line(task: Task) -> Line:
    """A task in words, with the page where it is done."""
    return Line(WORDS[task.kind](task), _link(task), task.project, task.since)


def _link(task: Task) -> str:
    if task.kind is TaskKind.CONFIRM_POLICY:
        return address("policies", task.project or NODE, task.subject)
    if task.kind is TaskKind.APPROVE_CODE:
        return address("projects", task.project, "code", task.subject)
    if task.kind in {TaskKind.APPROVE_CAPSULE, TaskKind.LAUNCH}:
        return address("projects", task.project, "capsules", task.subject)
    return address("releases", task.subject)


def underway_line(thing: Underway) -> Line:
    """Something of one's own that waits for others."""
    where = _OWN.get(thing.noun)
    is_request = where is None
    link = (
        address("projects", thing.project, where, thing.subject)
        if where
        else address("releases", thing.subject)
    )
    name = thing.subject if is_request else short(thing.subject)
    return Line(f"{thing.noun.capitalize()} {name}", link, thing.project, thing.since, thing.state)
