"""`phems policy`: the versions of what the node and its projects are held to, and who confirms a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import output, session
from phems.cli.node import opened

if TYPE_CHECKING:
    from phems.cli.ports import PolicyPort
    from phems.domain.actors import Actor
    from phems.domain.policy_versions import PolicyRecord

app = typer.Typer(no_args_is_help=True)

Project = Annotated[
    str, typer.Option("--project", "-p", help="The project; without it, what holds for the whole node.")
]
Number = Annotated[int, typer.Argument(min=1, help="The number of the version.")]
_COLUMNS = ["number", "state", "digest", "proposed_by", "proposed_at", "decided_by", "decided_at", "reason"]


@contextmanager
def _policies() -> Iterator[tuple[PolicyPort, Actor]]:
    with opened() as (node, actor):
        yield node.policies, actor


@app.command("list")
def list_(project: Project = "") -> None:
    """List the policy versions of a project, or of the node, newest first."""
    with _policies() as (policies, actor):
        rows = [_row(record) for record in policies.list(actor, project)]
    output.show_rows(rows, _COLUMNS, empty="No versions yet: they are made when the node starts.")


@app.command("show")
def show(
    number: Annotated[int | None, typer.Argument(min=1, help="Without it: the version in force.")] = None,
    project: Project = "",
) -> None:
    """Show a policy version: its rules, members, grants and data sources, and who confirmed it."""
    with _policies() as (policies, actor):
        record = policies.show(actor, project, number)
    row = {**_row(record), **record.version.content}
    output.show_fields(row, list(row))


@app.command("diff")
def diff(number: Number, project: Project = "") -> None:
    """Show what a version changes, and which of it loosens a rule."""
    with _policies() as (policies, actor):
        found = policies.diff(actor, project, number)
    if session.current().json:
        output.print_json(found)
        return
    output.show_rows(
        found["changes"],
        ["field", "before", "after", "loosens"],
        empty="It changes nothing that is governed.",
    )


@app.command("approve")
def approve(number: Number, project: Project = "") -> None:
    """Confirm a version that loosens a rule; never your own. It is in force at once."""
    with _policies() as (policies, actor):
        record = policies.approve(actor, project, number)
    output.done(_row(record), f"Policy version {record.name} is in force.")


@app.command("reject")
def reject(
    number: Number,
    reason: Annotated[str, typer.Option(help="Why: who proposed it and the audit log are told.")],
    project: Project = "",
) -> None:
    """Refuse a version that waits; the one in force stays."""
    with _policies() as (policies, actor):
        record = policies.reject(actor, project, number, reason=reason)
    output.done(_row(record), f"Policy version {record.name} is rejected; the one in force stays.")


@app.command("reload")
def reload() -> None:
    """Read node.yaml again: what loosens nothing is in force at once, the rest waits for a second person."""
    with opened("policy.propose") as (node, actor):
        found = node.policies.reload(actor)
    for line in found.told:
        output.warn(line)
    shown = ", ".join(f"{scope} {label}" for scope, label in found.in_force.items())
    output.done({"in_force": found.in_force, "waiting": found.waiting}, f"In force: {shown}.")


def _row(record: PolicyRecord) -> dict[str, Any]:
    return {
        "scope": record.scope or "node",
        "number": record.version.number,
        "state": record.state.value,
        "digest": record.version.digest,
        "proposed_by": record.proposed_by,
        "proposed_at": record.proposed_at,
        "decided_by": record.decided_by,
        "decided_at": record.decided_at,
        "reason": record.reason,
    }
