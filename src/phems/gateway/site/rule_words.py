"""The rules of a policy in words, with their numbers."""

from __future__ import annotations

from collections.abc import Iterator

from phems.gateway.spelling import count, size
from phems.nodespec.policies import Policy

Rule = tuple[str, str]

_ZERO_CELLS = {
    "allow": "A count of nobody may be told.",
    "review": "A count of nobody is looked at by a person.",
    "fail": "A count of nobody fails.",
}


def rules_in_words(policy: Policy) -> list[Rule]:
    """What holds before code runs and before files leave: a heading and a sentence each."""
    return [*_before_a_run(policy), *_before_a_release(policy), *_disclosure(policy)]


def _before_a_run(policy: Policy) -> Iterator[Rule]:
    owners = count(policy.approvals, "Information Asset Owner")
    apart = ", each of another organisation" if policy.approvals_from_different_organisations else ""
    yield "Code", f"{owners} must approve a code revision{apart}; its author cannot."
    yield (
        "Run",
        "Each new run capsule is approved first."
        if policy.approve == "capsule"
        else "Approved code runs as often as members like.",
    )
    yield (
        "Signatures",
        "An approval counts only when its signature verifies."
        if policy.signatures == "required"
        else "An approval that is not signed counts too.",
    )
    yield (
        "Sandbox",
        "No run without a sandbox."
        if policy.sandbox == "required"
        else "Runs are sandboxed where they can be.",
    )


def _before_a_release(policy: Policy) -> Iterator[Rule]:
    yield "Votes", f"{count(policy.votes, 'Output Checker')} vote on each file; its author cannot."
    yield "File types", f"{', '.join(policy.file_types)}; up to {size(policy.max_file_size)} a file."
    yield (
        "Tables",
        f"At most {count(policy.checks.max_rows, 'row')} and {count(policy.checks.max_columns, 'column')}.",
    )
    yield (
        "Failed checks",
        "A file that failed a check cannot be approved."
        if policy.checks.on_fail == "block"
        else "A file that failed a check is approved only with a written reason.",
    )


def _disclosure(policy: Policy) -> Iterator[Rule]:
    limits = policy.thresholds
    yield (
        "Small cells",
        f"A count below {limits.small_cell} fails. {_ZERO_CELLS[limits.zero_cells]}",
    )
    yield (
        "Dominance",
        (
            f"The {limits.dominance_n} largest contributors stay below {limits.dominance_k} % of a cell; "
            f"what is left without the two largest is at least {limits.p_ratio} % of the largest."
        ),
    )
    yield (
        "Suppressed cells",
        f"Stay open by {count(limits.protection, 'person', 'people')}, whatever else is published.",
    )
    yield (
        "Models",
        (
            f"At least {count(limits.residual_dof, 'residual degree')} of freedom; one with fewer than "
            f"{count(limits.rows_per_parameter, 'row')} for each parameter is looked at by a person."
        ),
    )
