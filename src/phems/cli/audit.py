"""`phems audit`: read the audit log, export it as a file that anyone can verify, verify it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import audit_anchors, audit_proofs, audit_replay, output
from phems.cli.audit_proofs import KEY_HELP
from phems.cli.node import opened
from phems.errors import InputError, IntegrityError, SetBackError

if TYPE_CHECKING:
    from phems.domain.checkpoints import Checkpoint
    from phems.services.audit_export import Verification

app = typer.Typer(no_args_is_help=True)

_FILE = (
    "What `phems audit export`, `prove` or `consistency` wrote; without it, the node's own log is verified "
    "against its checkpoints and outside anchors."
)
_ANCHOR = (
    "A checkpoint that was kept outside of the node: the log must go on from it. May be given several times."
)


@app.command("tail")
def tail(
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, help="How many.")] = 20,
    project: Annotated[str | None, typer.Option(help="Entries of one project alone.")] = None,
) -> None:
    """Show the last entries, the newest last."""
    with opened("audit.read") as (node, actor):
        entries = node.audit.tail(actor, count, project=project)
    columns = ["seq", "at", "actor", "action", "subject", "project", "result", "details"]
    output.show_rows(entries, columns, empty="The audit log is empty.")


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is replaced.")],
) -> None:
    """Write the whole log as JSON Lines, its signed checkpoints last."""
    from phems.adapters.durable_files import replace_with_lines

    with opened("audit.read") as (node, actor):
        lines = replace_with_lines(out, node.audit.export(actor))
    output.done(
        {"file": out.absolute(), "lines": lines},
        f"Exported to {out}. Anyone can verify it without the node: phems audit verify {out}",
    )


@app.command("verify")
def verify(
    file: Annotated[Path | None, typer.Argument(help=_FILE)] = None,
    key: Annotated[Path | None, typer.Option(help=KEY_HELP)] = None,
    anchor: Annotated[list[Path] | None, typer.Option(help=_ANCHOR)] = None,
) -> None:
    """Find what was changed, removed, moved, cut off or taken back, and name it (exit code 6).

    A log that was restored behind a checkpoint, and has the reason on record, is told apart (exit code 7).
    """
    if file is None:
        if key is not None or anchor:
            raise InputError(
                "--key and --anchor are for a file.",
                why="the node's own log is held against its own key and its own anchors.",
                remedy="phems audit verify FILE --key audit.pub.pem",
            )
        _tell(_verify_node(), "The audit log")
        return
    anchored = [audit_proofs.read_checkpoint(path) for path in anchor or ()]
    if audit_proofs.is_proof_file(file):
        audit_proofs.verify_proof(file, key, anchored)
        return
    _tell(_verify_file(file, key, anchored), str(file))
    if key is None:
        output.say("The key is the one in the file: to know that it is the node's, say --key audit.pub.pem")
    if not anchored:
        output.say("That nothing was taken back since, a checkpoint kept elsewhere shows: --anchor FILE")


audit_proofs.register(app)
app.command("replay")(audit_replay.replay)
audit_anchors.register(app)


def _tell(found: Verification, where: str) -> None:
    from phems.adapters.signing import key_id

    if found.finding is not None:
        raise IntegrityError(
            f"{where} was tampered with: {found.finding.says}.",
            why=f"{found.finding.why}.{_says_otherwise(found)}",
            remedy="Compare it with an earlier export, and find out who could write where it lies.",
        )
    if found.left_behind:
        raise SetBackError(
            f"{where} was taken back, and says so itself: {'; '.join(found.left_behind)}.",
            why=f"it does not go on from what was kept outside of it. Nothing else is wrong with its "
            f"{found.entries} entries: one of a restore names exactly that checkpoint.",
            remedy="What was decided between the backup and that checkpoint counts no more. Ask who is named "
            "whether the reason holds, and keep a checkpoint of this log from now on: phems audit checkpoint",
        )
    for told in found.set_backs:
        output.warn(told)
    for silent in found.silent_anchors:
        output.warn(f"the outside anchor {silent}")
    name = key_id(found.public_key)
    result = {
        "entries": found.entries,
        "key_id": name,
        "checkpoint": None if found.checkpoint is None else str(found.checkpoint),
        "anchors": list(found.anchors),
        "silent_anchors": list(found.silent_anchors),
        "set_backs": list(found.set_backs),
    }
    output.done(result, f"{where} is intact: {found.entries} entries, signed with the key {name}.")


def _says_otherwise(found: Verification) -> str:
    """A restore that is on record excuses the checkpoint that it names, and nothing else."""
    if not found.set_backs:
        return ""
    return f" The log tells of a restore, which does not explain that: {'; '.join(found.set_backs)}."


def _verify_node() -> Verification:
    with opened("audit.read") as (node, actor):
        return node.audit.verify(actor)


def _verify_file(file: Path, key: Path | None, anchored: list[Checkpoint]) -> Verification:
    from phems.adapters.signing import signature_matches
    from phems.services.audit_export import verify_lines

    trusted = audit_proofs.read_key(key) if key is not None else None
    return verify_lines(lambda: _lines(file), check=signature_matches, trusted=trusted, anchored=anchored)


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise audit_proofs.unreadable(file, error) from error
