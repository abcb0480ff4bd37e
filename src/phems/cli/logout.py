"""`phems logout`: the token that `phems login` keeps for a node is revoked there, and forgotten here."""

from __future__ import annotations

import typer

from phems.cli import output, sign_ins
from phems.cli.login import JSON, Url, address, connection, refusal
from phems.errors import InputError, PhemsError

app = typer.Typer()


@app.command()
def logout(url: Url = None) -> None:
    """Revoke the token that `phems login` keeps for a node, and forget it."""
    at = address(url)
    kept = sign_ins.kept(at)
    if kept is None:
        raise InputError(
            f"You are not signed in at {at}.",
            why="no token is kept for it.",
            remedy=f"Kept are those for: {', '.join(sign_ins.urls()) or 'no node'}.",
        )
    # Forgotten first: what cannot be revoked now must not be used either.
    sign_ins.forget(at)
    revoked = True
    try:
        with connection(at, kept.token) as node:
            answer = node.ask("POST", "/api/sign-out", b"{}", JSON)
            if answer.status not in {204, 401}:
                raise refusal(answer.body, at)
    except PhemsError as error:
        revoked = False
        output.warn(f"the token is forgotten here, and not revoked there: {error.what} {error.why}")
    output.done({"url": at, "user": kept.user, "revoked": revoked}, f"You are signed out at {at}.")
