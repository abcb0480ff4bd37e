"""`phems release verify` and `phems release key`: what the receiver of a package needs, and where it comes
from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phems.cli import output, session
from phems.cli.node import opened_folder
from phems.errors import InputError, PhemsError

_KEY = (
    "The public key of the node that released it, as a file or base64 (`phems release key` prints it there); "
    "without it, the key of the node in this folder."
)


def register(app: typer.Typer) -> None:
    """Add the commands to `phems release`."""
    app.command("verify")(verify)
    app.command("key")(key)


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The release package.")],
    key: Annotated[str | None, typer.Option(metavar="FILE|BASE64", help=_KEY)] = None,
) -> None:
    """Verify a release package offline, with the node's public key alone.

    Exit code 6 when something was changed, added or taken away: the first wrong thing is named. Exit code 4
    when the package is genuine, but was revoked.
    """
    from phems.adapters.release_package.dsse import open_envelope
    from phems.adapters.release_package.folder import LocalPackageFolder
    from phems.adapters.signing import key_id, public_key_given
    from phems.services.release_verification import verify_package

    package = LocalPackageFolder(folder)
    trusted = public_key_given(key) if key is not None else _own_key()
    found = verify_package(package, trusted, key_id=key_id(trusted), opened=open_envelope)
    for number, step in enumerate(found.steps, 1):
        output.say(f"  {number}. {step}")
    output.done(
        found,
        f"{folder} is release {found.request} of {found.node} ({found.controller}), with {len(found.files)} "
        f"files, released at {found.released_at}; signed with the key {found.key_id}.",
    )


def key() -> None:
    """Print the public key that this node signs release packages with: give it to whoever receives them."""
    with opened_folder() as node:
        found = node.release_key()
    output.done(found, found.public_key)


def _own_key() -> str:
    from phems.adapters.signing import RELEASE_KEY, load_public_key
    from phems.nodespec import load_node, node_paths

    try:
        folder = session.node_folder()
        return load_public_key(node_paths(load_node(folder), folder).keys / f"{RELEASE_KEY}.pub.pem")
    except PhemsError as error:
        raise InputError(
            "The public key of the node is missing.",
            why="there is no node here that could be asked for its own.",
            remedy="Say which: --key FILE, or --key BASE64. On the node: phems release key",
        ) from error
