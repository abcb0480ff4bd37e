"""`phems login` and `phems logout`: a token of a node at an address, kept for the commands that follow."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phems.cli import output, session, sign_ins
from phems.errors import InputError, PhemsError, RefusedError

if TYPE_CHECKING:
    from phems.cli.remote.connection import NodeConnection

app = typer.Typer()

JSON = {"Content-Type": "application/json"}
Url = Annotated[str | None, typer.Argument(help="The node's address. Default: --node or PHEMS_NODE.")]


@app.command()
def login(
    url: Url = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Your name; asked for without it.")] = None,
    code: Annotated[
        str, typer.Option(help="The code of your second factor, or a recovery code; asked for without it.")
    ] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Sign in at a node, and keep a token for it: half a day, or as long as --token says.

    With --token - the token on standard input is kept instead. People who sign in with the hospital's own
    login make one on the node's page /account.
    """
    at = address(url)
    given = session.current().token
    if given is not None:
        token = sys.stdin.readline().strip() if given == "-" else given
        found = sign_ins.SignIn(token=token, user=_whose(at, token), expires_at="")
    else:
        name = user or _asked("Name: ", "name", "phems login --user NAME")
        found = _signed_in(at, name, _password(name, password_stdin), code)
    file = sign_ins.keep(at, found)
    result = {"url": at, "user": found.user, "expires_at": found.expires_at or None, "file": file}
    output.done(result, f"You are {found.user} at {at}. From now on: export PHEMS_NODE={at}")


def address(url: str | None) -> str:
    """The address that is meant."""
    if url is not None:
        return session.checked_url(url)
    found = session.node_url()
    if found is None:
        raise InputError(
            "At which node is not said.",
            why="neither an address nor --node or PHEMS_NODE with one was given.",
            remedy="phems login https://node.hospital.example",
        )
    return found


def connection(url: str, token: str | None) -> NodeConnection:
    """The way to a node."""
    from phems.cli.remote.connection import NodeConnection

    return NodeConnection(url, token)


def _whose(url: str, token: str) -> str:
    from phems.cli.remote.api import NodeApi

    if not token.isascii() or not token.isprintable() or not token:
        raise InputError("This is not a token.", why="it is empty, or holds what no token has.")
    with NodeApi(connection(url, token)) as api:
        return str(api.get("/me")["name"])


def _signed_in(url: str, name: str, password: str, code: str) -> sign_ins.SignIn:
    asked = {"name": name, "password": password, **({"code": code} if code else {})}
    with connection(url, None) as node:
        # Not sent again by itself: each try counts.
        answer = node.ask("POST", "/api/sign-in", json.dumps(asked).encode(), JSON, again=False)
        if not code and _wants_code(answer.body):
            asked["code"] = _code(url, name)
            answer = node.ask("POST", "/api/sign-in", json.dumps(asked).encode(), JSON, again=False)
        if answer.status != 201:  # noqa: PLR2004
            if answer.media_type != "application/problem+json":
                raise node.not_a_node(f"It answers {answer.status} with {answer.media_type}.")
            raise refusal(answer.body, url)
        told = json.loads(answer.body)
    return sign_ins.SignIn(token=told["token"], user=told["user"], expires_at=told["expires_at"])


def _wants_code(body: bytes) -> bool:
    """Whether a node says that the password was right, and that a code is to come with it."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("code") == "needed"


def _code(url: str, name: str) -> str:
    remedy = f"phems login {url} --user {name} --code CODE"
    if not sys.stdin.isatty():
        raise RefusedError(
            "A code is needed.",
            why=f"{name} has a second factor, and there is no terminal to ask for its code.",
            remedy=remedy,
        )
    return _asked("Code from your app, or a recovery code: ", "code", remedy)


def refusal(body: bytes, url: str) -> PhemsError:
    """What the node says no with; for people whose login is elsewhere, the way that they have."""
    from phems.cli.remote.problems import rebuilt

    try:
        told: Any = json.loads(body)
    except ValueError:
        told = None
    error = rebuilt(told if isinstance(told, dict) else {})
    if isinstance(error, RefusedError):
        return RefusedError(
            error.what,
            why=error.why,
            remedy=f"Try again; or make a token at {url}/account, then: phems login {url} --token -",
        )
    return error


def _asked(prompt: str, what: str, remedy: str) -> str:
    print(prompt, end="", file=sys.stderr, flush=True)
    typed = sys.stdin.readline().strip()
    if not typed:
        raise InputError(f"The {what} is missing.", remedy=remedy)
    return typed


def _password(name: str, from_stdin: bool) -> str:
    if from_stdin:
        # The line's end is the shell's, not the password's.
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise InputError(
            "The password is missing.",
            why="there is no terminal to ask for it.",
            remedy="phems login --password-stdin < FILE, or --token -",
        )
    return getpass.getpass(f"Password of {name}: ", stream=sys.stderr)
