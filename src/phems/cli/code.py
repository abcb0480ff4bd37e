"""`phems code`: submit a commit, see what it changes, approve, reject and revoke code revisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import code_diff, code_sync, output, session
from phems.cli.node import opened
from phems.errors import InputError, NotFoundError, PhemsError

if TYPE_CHECKING:
    from phems.cli.ports import NodePort
    from phems.domain.actors import Actor
    from phems.domain.code_diffs import CodeDiff
    from phems.domain.code_revisions import CodeRevision
    from phems.services.code_approvals import SignedStatement

app = typer.Typer(no_args_is_help=True)
app.command("sync")(code_sync.sync)

_COLUMNS = ["commit", "state", "subject", "submitter", "submitted_at", "digest"]
_FIELDS = [
    *("project", "commit", "state", "subject", "branch", "digest", "environment_digest"),
    *("submitter", "authors", "submitted_at", "turn", "decided_by", "decided_at", "reason"),
]
_APPROVALS = ["approver", "at", "counts", "key_id", "policy_version", "note"]

Project = Annotated[str, typer.Option("--project", "-p", help="The project.")]
Commit = Annotated[str, typer.Argument(help="The commit, or enough of its first characters.")]
Reason = Annotated[str, typer.Option(help="Why: the author and the audit log are told.")]


@app.command("submit")
def submit(
    project: Project,
    commit: Annotated[
        str | None, typer.Argument(help="The commit; without it, the tip of the project's branch.")
    ] = None,
) -> None:
    """Submit a commit of the project's branch for approval."""
    with opened() as (node, actor):
        revision = node.code_revisions.submit(actor, project, commit)
    short = revision.commit[:12]
    output.done(revision, f"Submitted {revision.name}. To approve: phems code approve -p {project} {short}")


@app.command("list")
def list_(project: Project) -> None:
    """List the code revisions of a project, newest first."""
    with opened() as (node, actor):
        rows = node.code_revisions.list(actor, project)
    output.show_rows(rows, _COLUMNS, empty=f"No code revisions yet: phems code submit -p {project}")


@app.command("show")
def show(project: Project, commit: Commit) -> None:
    """Show one code revision: its approvals, verified now, and what it changes."""
    from phems.services.code_summaries import revision_summary

    with opened() as (node, actor):
        revision = node.code_revisions.show(actor, project, commit)
        approvals = node.code_revisions.approvals(actor, project, commit)
        diff = _diff_if_readable(node, actor, project, commit)
    summary = revision_summary(revision, approvals, diff)
    if session.current().json:
        output.print_json(summary)
        return
    output.show_fields(revision, _FIELDS)
    output.say("\nApprovals of this turn:")
    output.show_rows(summary["present_approvals"], _APPROVALS, empty="None yet.")
    if diff is not None:
        output.say("")
        code_diff.show(diff)


@app.command("diff")
def diff(
    project: Project,
    commit: Commit,
    against: Annotated[
        str | None, typer.Option(help="Another code revision; without it, the last approved one before.")
    ] = None,
    patch: Annotated[bool, typer.Option("--patch", help="Every changed line, as diff -u has them.")] = False,
    file: Annotated[
        list[str] | None, typer.Option("--file", help="The changed lines of this file; can be repeated.")
    ] = None,
) -> None:
    """Show what a code revision changes: dependencies first, then its files."""
    from phems.services.code_summaries import diff_summary

    with opened() as (node, actor):
        found = node.code_diffs.diff(
            actor, project, commit, against=against, with_lines=patch or bool(file), paths=file or ()
        )
    if session.current().json:
        output.print_json({"project": project, "commit": found.commit, **diff_summary(found)})
    else:
        code_diff.show(found)


@app.command("approve")
def approve(
    project: Project,
    commit: Commit,
    note: Annotated[str, typer.Option(help="A remark.")] = "",
    statement: Annotated[
        Path | None, typer.Option(help="With a key of your own: the file with the statement that you signed.")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(help="The file with its signature, 64 bytes or base64.")
    ] = None,
) -> None:
    """Approve a code revision; with enough approvals, new runs use it."""
    signed = _signed(statement, signature)
    with opened() as (node, actor):
        revision = node.code_revisions.approve(actor, project, commit, note=note, signed=signed)
    output.done(revision, f"{revision.name} is {revision.state.value}.")


@app.command("statement")
def statement(
    project: Project,
    commit: Commit,
    out: Annotated[Path | None, typer.Option(help="The file to write; without it, standard output.")] = None,
) -> None:
    """Print what you sign to approve a code revision, when you keep your key yourself.

    Sign it with: openssl pkeyutl -sign -rawin -inkey KEY.pem -in STATEMENT -out SIGNATURE
    """
    with opened() as (node, actor):
        found = node.code_revisions.statement(actor, project, commit)
    if out is None:
        # Not a byte more: what is signed is what is printed.
        print(found.decode(), end="", flush=True)
        return
    try:
        out.write_bytes(found)
    except OSError as error:
        raise InputError(f"{out} cannot be written.", why=error.strerror or str(error)) from error
    output.done(
        {"file": out}, f"Wrote {out}. To approve: phems code approve --statement {out} --signature FILE"
    )


@app.command("reject")
def reject(project: Project, commit: Commit, reason: Reason) -> None:
    """Reject a code revision that is not approved yet."""
    with opened() as (node, actor):
        revision = node.code_revisions.reject(actor, project, commit, reason=reason)
    _done(revision)


@app.command("rollback")
def rollback(
    project: Project,
    reason: Reason,
    commit: Annotated[
        str | None, typer.Argument(help="The code revision; without it, the one replaced last.")
    ] = None,
) -> None:
    """Go back to a code revision that was replaced, while the approvals that it has count.

    It needs no new approval: it is the same code, commit and approvals as before. New runs use it.
    """
    with opened() as (node, actor):
        target = commit or _replaced_last(node.code_revisions.list(actor, project), project)
        revision = node.code_revisions.restore(actor, project, target, reason=reason)
    _done(revision)


@app.command("revoke")
def revoke(
    project: Project,
    commit: Commit,
    reason: Reason,
    stop_runs: Annotated[
        bool, typer.Option("--stop-runs", help="End the runs of it that are on their way.")
    ] = False,
) -> None:
    """Take an approval back, for good: nothing with this content starts again."""
    with opened() as (node, actor):
        revision = node.code_revisions.revoke(actor, project, commit, reason=reason, stop_runs=stop_runs)
    _done(revision)


def _diff_if_readable(node: NodePort, actor: Actor, project: str, commit: str) -> CodeDiff | None:
    """What it changes; a warning when the Code Repo cannot say: the rest is in the database."""
    try:
        return node.code_diffs.diff(actor, project, commit)
    except PhemsError as error:
        output.warn(f"what it changes cannot be shown: {error.what} {error.why}")
        return None


def _replaced_last(revisions: Sequence[CodeRevision], project: str) -> str:
    replaced = [each for each in revisions if each.state.value == "REPLACED"]
    if not replaced:
        raise NotFoundError(
            f"{project} has no code revision to go back to.",
            why="none was replaced by a later one.",
            remedy=f"phems code list --project {project}",
        )
    return max(replaced, key=lambda each: each.decided_at or each.submitted_at).commit


def _done(revision: CodeRevision) -> None:
    output.done(revision, f"{revision.name} is {revision.state.value}.")


def _signed(statement: Path | None, signature: Path | None) -> SignedStatement | None:
    import base64

    from phems.services.code_approvals import SignedStatement

    if statement is None or signature is None:
        if statement is signature:
            return None
        raise InputError(
            "A statement comes with its signature.",
            why="only one of --statement and --signature was given.",
            remedy="phems code statement writes the statement; sign it, then give both",
        )
    try:
        said, raw = statement.read_bytes(), signature.read_bytes()
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read.", why=error.strerror or str(error)) from error
    length = 64  # of an Ed25519 signature
    text = base64.b64encode(raw).decode() if len(raw) == length else raw.decode(errors="replace").strip()
    return SignedStatement(said.rstrip(b"\n"), text)
