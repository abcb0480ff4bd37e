"""The page `docs/explanation/states.md`, written from the state tables: text in Markdown and Mermaid."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from phems.domain.approver_keys import APPROVER_KEYS
from phems.domain.capsule_approvals import CAPSULE_APPROVALS
from phems.domain.code_revisions import CODE_REVISIONS
from phems.domain.policy_versions import POLICY_VERSIONS
from phems.domain.release_states import RELEASE_REQUESTS
from phems.domain.state_tables import StateTable
from phems.domain.votes import Decision, ReviewPhase, Vote

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)

_INTRODUCTION = """# States

Generated from the tables in `phems.domain`; a test fails when this page is stale.
Write it anew with `make docs`.
"""


def states_page() -> str:
    """The whole page."""
    return "\n".join(
        [
            _INTRODUCTION,
            _section("Code revision", CODE_REVISIONS),
            _section("Approver key", APPROVER_KEYS),
            _section("Run capsule", CAPSULE_APPROVALS),
            _section("Policy version", POLICY_VERSIONS),
            _section("Release request", RELEASE_REQUESTS),
            _votes(),
        ]
    )


def _section(title: str, table: StateTable[S, A]) -> str:
    diagram = ["```mermaid", "stateDiagram-v2"]
    rows = ["| from | action | to | by | when |", "|---|---|---|---|---|"]
    for row in table.rows:
        source = row.source.value if row.source else None
        diagram.append(f"    {source or '[*]'} --> {row.target.value}: {row.action.value}")
        rows.append(f"| {source or '-'} | {row.action.value} | {row.target.value} | {row.by} | {row.note} |")
    diagram += [f"    {state.value} --> [*]" for state in table.terminal()]
    return "\n".join([f"## {title}", "", *diagram, "```", "", *rows, ""])


def _votes() -> str:
    kinds = (("A vote", Vote), ("The decision on a file", Decision), ("The review phase", ReviewPhase))
    lines = [f"{title} is one of {', '.join(f'`{member}`' for member in kind)}." for title, kind in kinds]
    return "\n".join(
        [
            "## Votes",
            "",
            *lines,
            "",
            "With N the policy's number of votes: N approvals against fewer than N requests for changes",
            "make `APPROVED`; the reverse makes `CHANGES_REQUESTED`; N votes without either make",
            "`CONFLICTED`, which a further checker settles; fewer make `INCOMPLETE`. The phase is",
            "`INDEPENDENT`, and checkers blind to each other, until N of them have voted on every file;",
            "it is `COMPLETE` when every file is decided.",
            "",
        ]
    )
