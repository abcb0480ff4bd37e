"""`phems restore`: a node from a backup, in an empty place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phems.cli import output
from phems.cli.admin_url import AdminUrl
from phems.cli.passphrases import passphrase_in

app = typer.Typer()


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="The folder that `phems backup` wrote.")],
    folder: Annotated[Path, typer.Argument(help="Where the node is to be: its node.yaml is put there.")],
    passphrase_file: Annotated[
        Path | None, typer.Option(help="The passphrase that the keys were encrypted with.")
    ] = None,
    behind_anchor: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Restore though an outside anchor has later entries, or cannot be asked: why they are given "
            "up. It is recorded in the audit log for ever.",
        ),
    ] = None,
    admin_url: AdminUrl = None,
) -> None:
    """Verify a backup, byte by byte, and make a node of it where there is none.

    Whoever it is restored by must be able to run the node. What is there is never written over.
    """
    from phems.bootstrap.restore import restore as bring_back

    restored = bring_back(
        backup.absolute(),
        folder.absolute(),
        passphrase=None if passphrase_file is None else passphrase_in(passphrase_file),
        reason=behind_anchor,
        admin=admin_url,
        told=output.say,
    )
    for name in restored.behind:
        output.warn(f"restored behind the outside anchor {name}; the audit log says why.")
    if restored.missing_objects:
        output.warn(
            f"{restored.missing_objects} objects are not in their buckets as they were: bring their versions "
            "back, by the keys in the backup's manifest."
        )
    output.done(
        restored,
        f"Restored the node {restored.node} as it was at {restored.made_at}: {restored.folder}\n"
        f"Verify it before you start it: phems --node {restored.folder} audit verify",
    )
