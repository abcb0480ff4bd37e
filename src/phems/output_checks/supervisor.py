"""Runs each check on each file in a process of its own, forked for it: what goes wrong stays there.

A check that raises, hangs, eats its memory or is killed gives `fail` for its file, and the next one
starts afresh. A file that takes over the process which parses it can speak of no other file, and for
no other check: findings are filed under the task that was given out, whatever they claim.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phems.domain.output_checks import CheckedFile, CheckOrder, Finding, not_checked
from phems.errors import IntegrityError
from phems.output_checks.child_process import Child
from phems.output_checks.discovery import BrokenCheck
from phems.output_checks.plugin import Check, CheckContext, FileCheck, RequestCheck


@dataclass(frozen=True)
class Task:
    """One check on one file, or, with `file` None, on the request as a whole."""

    check: Check
    file: CheckedFile | None
    context: CheckContext

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that have failed when the task does."""
        return (self.file.path,) if self.file else tuple(file.path for file in self.context.order.files)

    def findings(self) -> list[Finding]:
        """Run the check, here and now."""
        if self.file is not None and isinstance(self.check, FileCheck):
            return list(self.check.check_file(self.file, self.context))
        if isinstance(self.check, RequestCheck):
            return list(self.check.check_request(self.context))
        return []

    def failed(self, why: str) -> list[Finding]:
        """What is found when the task did not come to its end."""
        return [not_checked(self.check.name, self.check.version, path, why) for path in self.paths]

    def filed(self, finding: Finding) -> Finding:
        """A finding under the task's own check and file, or, of a request, under one of its files."""
        known = self.file.path if self.file else finding.path if finding.path in self.paths else None
        return replace(finding, check=self.check.name, version=self.check.version, path=known)


def tasks(order: CheckOrder, checks: Sequence[Check], scratch: Path) -> Iterator[Task]:
    """Every file by itself, then the request as a whole."""
    context = CheckContext(order, scratch)
    for file in order.files:
        yield from (Task(check, file, context) for check in checks if isinstance(check, FileCheck))
    yield from (Task(check, None, context) for check in checks if isinstance(check, RequestCheck))


def run(
    order: CheckOrder, checks: Sequence[Check], broken: Sequence[BrokenCheck], scratch: Path
) -> Iterator[Finding]:
    """The findings of all checks, in bounded time."""
    for lost in broken:
        yield from (not_checked(lost.name, "", file.path, lost.why) for file in order.files)
    deadline = time.monotonic() + order.seconds
    for task in tasks(order, checks, scratch):
        yield from _run_apart(task, deadline)


def _run_apart(task: Task, deadline: float) -> list[Finding]:
    """The findings of one task, from a process of its own."""
    now, limits = time.monotonic(), task.context.limits
    if now >= deadline:
        return task.failed("the time for all checks together was over")
    with Child(lambda: _say(task), memory=limits["memory"], cpu_seconds=limits["seconds"]) as child:
        said = child.listen(min(now + limits["seconds"], deadline))
    if child.trouble:
        return task.failed(child.trouble)
    try:
        answer = json.loads(said)
        if "error" in answer:
            return task.failed(str(answer["error"]))
        return [task.filed(Finding.from_json(value)) for value in answer["findings"]]
    except (ValueError, TypeError, KeyError, RecursionError, IntegrityError):
        return task.failed("it gave something that is no finding")


def _say(task: Task) -> bytes:
    """In the child: the findings, or what went wrong, as JSON."""
    os.environ["TMPDIR"] = str(task.context.scratch)
    try:
        return json.dumps({"findings": [finding.as_json() for finding in task.findings()]}).encode()
    except BaseException as error:  # noqa: BLE001 - whatever a plug-in raises is a failure of its file
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:_LONGEST_REASON]}).encode()


_LONGEST_REASON = 500
