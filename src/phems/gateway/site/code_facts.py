"""What the node knows of a code revision by itself: facts for its approver, each with a verdict.

Nobody reads a lock file line by line; what is odd in it is said first. A fact is no decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from phems.domain.code_diffs import CodeDiff
from phems.domain.code_revisions import CodeRevision
from phems.domain.output_checks import Verdict
from phems.gateway.spelling import count

_MOST_NAMES = 10


@dataclass(frozen=True)
class Fact:
    """Something that was checked: `pass`, or `review` for what a person should look at."""

    verdict: str
    words: str


def facts(revision: CodeRevision, diff: CodeDiff) -> list[Fact]:
    """The facts, those to look at first."""
    found = [fact for rule in _RULES for fact in rule(revision, diff)]
    return sorted(found, key=lambda fact: fact.verdict == Verdict.PASS.value)


def _bytes(_: CodeRevision, __: CodeDiff) -> Iterator[Fact]:
    # The diff is made of trees whose digests were held against those on record.
    yield _passed("The Code Repo holds the very bytes that were submitted.")


def _environment(revision: CodeRevision, _: CodeDiff) -> Iterator[Fact]:
    if revision.environment_digest is None:
        yield _look("It has no lock file: which packages it was written for is not on record.")
    else:
        yield _passed("Its lock file is part of what is approved.")


def _locks(_: CodeRevision, diff: CodeDiff) -> Iterator[Fact]:
    for path in diff.unread_locks:
        yield _look(f"The lock file {path} changed, and cannot be read: compare its lines yourself.")


def _repinned(_: CodeRevision, diff: CodeDiff) -> Iterator[Fact]:
    same = [change.name for change in diff.dependencies if change.kind == "repinned"]
    if same:
        words = count(len(same), "dependency has", "dependencies have")
        yield _look(f"{words} the same version, and other files or another source: {_named(same)}.")


def _downgraded(_: CodeRevision, diff: CodeDiff) -> Iterator[Fact]:
    older = [change.name for change in diff.dependencies if change.kind == "downgraded"]
    if older:
        words = count(len(older), "dependency goes", "dependencies go")
        yield _look(f"{words} back to an older version: {_named(older)}.")


def _uncompared(_: CodeRevision, diff: CodeDiff) -> Iterator[Fact]:
    binary = [file.path for file in diff.files if file.added is None]
    if binary:
        yield _look(f"{count(len(binary), 'file')} could not be compared line by line: {_named(binary)}.")


def _base(_: CodeRevision, diff: CodeDiff) -> Iterator[Fact]:
    if diff.base is None:
        yield _look("No code of this project was approved before: all of it is new.")


_RULES: tuple[Callable[[CodeRevision, CodeDiff], Iterator[Fact]], ...] = (
    _bytes,
    _environment,
    _locks,
    _repinned,
    _downgraded,
    _uncompared,
    _base,
)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f", and {more:,} more" if more > 0 else "")


def _passed(words: str) -> Fact:
    return Fact(Verdict.PASS.value, words)


def _look(words: str) -> Fact:
    return Fact(Verdict.REVIEW.value, words)
