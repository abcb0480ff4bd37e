"""`phems capsule`: run capsules, in full, and the approvals of those that need one.

A noun of its own and not a verb of `phems run`: what is approved is what would run, however often and for
whomever, and not one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import output, session
from phems.cli.node import opened

if TYPE_CHECKING:
    from phems.cli.ports import CapsulePort
    from phems.domain.actors import Actor
    from phems.domain.capsule_approvals import CapsuleApproval

app = typer.Typer(no_args_is_help=True)

STATES = ("requested", "approved", "rejected", "revoked")

Project = Annotated[str, typer.Option("--project", "-p", help="The project.")]
Name = Annotated[
    str,
    typer.Argument(metavar="CAPSULE", help="The first characters of the capsule, or of a run that has it."),
]
Reason = Annotated[str, typer.Option(help="Why: who asked for it and the audit log are told.")]
_COLUMNS = ["capsule", "state", "asked_by", "asked_at", "used", "times", "expires_at", "decided_by", "reason"]


@contextmanager
def _capsules() -> Iterator[tuple[CapsulePort, Actor]]:
    with opened() as (node, actor):
        yield node.capsules, actor


@app.command("list")
def list_(
    project: Project,
    state: Annotated[
        str | None, typer.Option(help="In this state alone.", autocompletion=lambda: list(STATES))
    ] = None,
) -> None:
    """List the capsules that somebody had, or has, to decide on; last asked for first."""
    from phems.domain.capsule_approvals import CapsuleState
    from phems.errors import InputError

    if state is not None and state.lower() not in STATES:
        raise InputError(f"{state!r} is no state of a capsule.", why=f"They are {', '.join(STATES)}.")
    states = [CapsuleState(state.upper())] if state else []
    with _capsules() as (capsules, actor):
        rows = capsules.list(actor, project, states)
    if session.current().json:
        output.show_rows([_row(row) for row in rows], _COLUMNS)
        return
    output.show_rows(
        [{**_row(row), "capsule": row.name} for row in rows],
        _COLUMNS,
        empty="No capsule was asked for. Under `approve: capsule`, a refused run asks for its own.",
    )


@app.command("show")
def show(project: Project, name: Name) -> None:
    """Show in full what would run, or has: code, environment, configuration, data, policy."""
    with _capsules() as (capsules, actor):
        view = capsules.show(actor, project, name)
    approval = _row(view.approval) if view.approval else None
    if session.current().json:
        output.print_json(
            {"capsule": view.capsule, "commit": view.commit, **view.document, "approval": approval}
        )
        return
    shown = {"capsule": view.capsule, "commit": view.commit, **view.document}
    output.show_fields(shown, [part for part in shown if part != "phems"])
    if approval is not None:
        output.say("")
        output.show_fields(approval, _COLUMNS[1:])


@app.command("approve")
def approve(
    project: Project,
    name: Name,
    times: Annotated[int, typer.Option(min=1, help="For so many runs.")] = 1,
    days: Annotated[int | None, typer.Option(min=1, help="For so many days; without it, no end.")] = None,
) -> None:
    """Let a capsule run: once, or as often as --times says. Signed with your key."""
    with _capsules() as (capsules, actor):
        after = capsules.approve(actor, project, name, times=times, days=days)
    runs = "one run" if times == 1 else f"{times} runs"
    output.done(_row(after), f"The run capsule {after.name} is approved for {runs}.")


@app.command("reject")
def reject(project: Project, name: Name, reason: Reason) -> None:
    """Refuse a capsule that somebody asked for."""
    with _capsules() as (capsules, actor):
        after = capsules.reject(actor, project, name, reason=reason)
    output.done(_row(after), f"The run capsule {after.name} is rejected.")


@app.command("revoke")
def revoke(project: Project, name: Name, reason: Reason) -> None:
    """Take an approval back, for good: no run with this capsule starts or goes on after a restart."""
    with _capsules() as (capsules, actor):
        after = capsules.revoke(actor, project, name, reason=reason)
    output.done(_row(after), f"The run capsule {after.name} is revoked.")


def _row(approval: CapsuleApproval) -> dict[str, Any]:
    return {
        "project": approval.project,
        "capsule": approval.capsule,
        "state": approval.state.value,
        "asked_by": approval.asked_by,
        "asked_at": approval.asked_at,
        "decided_by": approval.decided_by,
        "decided_at": approval.decided_at,
        "reason": approval.reason,
        "times": approval.times,
        "used": approval.used,
        "expires_at": approval.expires_at,
        "policy_version": approval.policy_version,
        "key_id": approval.signature.key_id if approval.signature else None,
    }
