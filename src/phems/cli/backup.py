"""`phems backup`: the whole node in one new folder, while it runs or while it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phems.cli import local_operator, output, session
from phems.cli.passphrases import passphrase_in

app = typer.Typer()


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="The folder to make; on another disk than the node's.")],
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            help="Encrypt the node's keys with the passphrase in this file. All else is not encrypted."
        ),
    ] = None,
) -> None:
    """Copy database, files and keys into a new folder, with the SHA-256 of every file.

    It is there whole or not at all. It holds what was made of patient data: keep it as you keep that.
    """
    from phems.bootstrap import open_node
    from phems.bootstrap.backup import backup_to, backups_of

    passphrase = None if passphrase_file is None else passphrase_in(passphrase_file)
    with open_node(session.node_folder()) as node:
        actor = local_operator.acting(node, "node.operate")
        made = backups_of(node).make(actor, backup_to(node, folder, passphrase), output.say)
    if made.keys == "plain":
        output.warn("the keys in the backup are not encrypted; --passphrase-file FILE encrypts them.")
    if made.in_buckets:
        output.warn(
            f"{made.in_buckets} objects lie in buckets: the backup names them and their versions, "
            "and holds none of them."
        )
    text = f"{made.files} files, {made.bytes:,} bytes, {made.audit_entries} audit entries: {folder}"
    output.done({"folder": folder.absolute(), **output.to_plain(made)}, text)
