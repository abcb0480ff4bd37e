"""`phems code`: submit a commit, look at code revisions, approve, reject and revoke them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import output, session

if TYPE_CHECKING:
    from phems.domain.actors import Actor
    from phems.domain.code_revisions import CodeRevision
    from phems.services.code_revisions import CodeRevisions

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ["commit", "state", "subject", "submitter", "submitted_at", "digest"]
_FIELDS = [
    *("project", "commit", "state", "subject", "branch", "digest", "environment_digest"),
    *("submitter", "authors", "submitted_at", "turn", "approvals", "decided_by", "decided_at", "reason"),
]

Project = Annotated[str, typer.Option("--project", "-p", help="The project.")]
Commit = Annotated[str, typer.Argument(help="The commit, or enough of its first characters.")]
Reason = Annotated[str, typer.Option(help="Why: the author and the audit log are told.")]


@contextmanager
def _revisions() -> Iterator[tuple[CodeRevisions, Actor]]:
    from phems.bootstrap import open_node

    token = session.token()
    with open_node(session.node_folder()) as node:
        yield node.code_revisions, node.actor_from_token(token)


@app.command("submit")
def submit(
    project: Project,
    commit: Annotated[
        str | None, typer.Argument(help="The commit; without it, the tip of the project's branch.")
    ] = None,
) -> None:
    """Submit a commit of the project's branch for approval."""
    with _revisions() as (revisions, actor):
        revision = revisions.submit(actor, project, commit)
    short = revision.commit[:12]
    _done(revision, f"Submitted {revision.name}. To approve: phems code approve -p {project} {short}")


@app.command("list")
def list_(project: Project) -> None:
    """List the code revisions of a project, newest first."""
    with _revisions() as (revisions, actor):
        rows = revisions.list(actor, project)
    output.show_rows(rows, _COLUMNS, empty=f"No code revisions yet: phems code submit -p {project}")


@app.command("show")
def show(project: Project, commit: Commit) -> None:
    """Show one code revision, with its approvals."""
    with _revisions() as (revisions, actor):
        output.show_fields(revisions.show(actor, project, commit), _FIELDS)


@app.command("approve")
def approve(
    project: Project, commit: Commit, note: Annotated[str, typer.Option(help="A remark.")] = ""
) -> None:
    """Approve a code revision; with enough approvals, new runs use it."""
    with _revisions() as (revisions, actor):
        revision = revisions.approve(actor, project, commit, note=note)
    _done(revision, f"{revision.name} is {revision.state.value}.")


@app.command("reject")
def reject(project: Project, commit: Commit, reason: Reason) -> None:
    """Reject a code revision that is not approved yet."""
    with _revisions() as (revisions, actor):
        revision = revisions.reject(actor, project, commit, reason=reason)
    _done(revision, f"{revision.name} is {revision.state.value}.")


@app.command("revoke")
def revoke(project: Project, commit: Commit, reason: Reason) -> None:
    """Take an approval back, for good: nothing with this content starts again."""
    with _revisions() as (revisions, actor):
        revision = revisions.revoke(actor, project, commit, reason=reason)
    _done(revision, f"{revision.name} is {revision.state.value}.")


def _done(revision: CodeRevision, text: str) -> None:
    output.done(revision, text)
