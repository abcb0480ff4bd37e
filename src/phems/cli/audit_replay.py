"""`phems audit replay`: take a past decision again, under the policy version that it names."""

from __future__ import annotations

from typing import Annotated

import typer

from phems.cli import output
from phems.cli.node import opened
from phems.errors import IntegrityError


def replay(
    number: Annotated[
        int, typer.Argument(metavar="ID", min=1, help="The number of the audit entry: phems audit tail.")
    ],
) -> None:
    """Decide again on a run, a code revision or a release, as it was kept (exit code 6: not the same)."""
    with opened("audit.read") as (node, actor):
        found = node.replays.replay(actor, number)
    if not found.is_same:
        raise IntegrityError(
            f"Audit entry {number} does not come out the same: {found.action} of {found.subject}.",
            why=f"recorded is {found.recorded!r}; under policy version {found.policy_version} it is now "
            f"{found.replayed!r}.",
            remedy="phems audit verify. If the log is intact, what the decision rests on was changed.",
        )
    output.done(
        found.as_json(),
        f"The same: {found.action} of {found.subject}, under policy version {found.policy_version}: "
        f"{found.recorded}.",
    )
