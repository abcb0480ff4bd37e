"""`phems audit`: read the audit log, export it as a file that anyone can verify, verify it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phems.cli import local_operator, output, session
from phems.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from phems.services.audit import Verification

app = typer.Typer(no_args_is_help=True)

_FILE = "The file that `phems audit export` wrote; without it, the node's own log is verified."
_KEY = "The node's audit.pub.pem as you have it from the node's operator, so that no other node's log passes."


@app.command("tail")
def tail(
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=10_000, help="How many.")] = 20,
    project: Annotated[str | None, typer.Option(help="Entries of one project alone.")] = None,
) -> None:
    """Show the last entries, the newest last."""
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        local_operator.acting(node, "audit.read")
        entries = node.audit.tail(count, project=project)
    columns = ["seq", "at", "actor", "action", "subject", "project", "result", "details"]
    output.show_rows(entries, columns, empty="The audit log is empty.")


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="The file to write; one that is there is replaced.")],
) -> None:
    """Write the whole log as JSON Lines, its signed checkpoint last."""
    from phems.adapters.durable_files import replace_with_lines
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        actor = local_operator.acting(node, "audit.read")
        lines = replace_with_lines(out, node.audit.export(actor))
    output.done(
        {"file": out.absolute(), "lines": lines},
        f"Exported to {out}. Anyone can verify it without the node: phems audit verify {out}",
    )


@app.command("verify")
def verify(
    file: Annotated[Path | None, typer.Argument(help=_FILE)] = None,
    key: Annotated[Path | None, typer.Option(help=_KEY)] = None,
) -> None:
    """Find an entry that was changed, removed, reordered or cut off, and name it (exit code 6)."""
    from phems.adapters.signing import key_id

    found = _verify_node() if file is None else _verify_file(file, key)
    where = "The audit log" if file is None else str(file)
    if found.finding is not None:
        raise IntegrityError(
            f"{where} was tampered with: entry {found.finding.seq} {found.finding.says}.",
            why=found.finding.why,
            remedy="Compare it with an earlier export, and find out who could write where it lies.",
        )
    name = key_id(found.public_key)
    text = f"{where} is intact: {found.entries} entries, signed with the key {name}."
    if file is not None and key is None:
        text += "\nThe key is the one in the file: to know that it is the node's, say --key audit.pub.pem"
    output.done({"entries": found.entries, "key_id": name, "checkpoint": found.checkpoint}, text)


def _verify_node() -> Verification:
    from phems.bootstrap import open_node

    with open_node(session.node_folder()) as node:
        local_operator.acting(node, "audit.read")
        return node.audit.verify()


def _verify_file(file: Path, key: Path | None) -> Verification:
    from phems.adapters.signing import load_public_key, signature_matches
    from phems.services.audit import verify_lines

    trusted = load_public_key(key) if key is not None else None
    return verify_lines(lambda: _lines(file), check=signature_matches, trusted_key=trusted)


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise InputError(
            f"{file} cannot be read.", why=error.strerror or str(error), remedy="Name an exported audit log."
        ) from error
