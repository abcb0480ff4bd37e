"""The app: one row for each noun and verb, its module imported when it is used.

To add a noun, such as `code`: write `phems/cli/code.py` with

    app = typer.Typer(help="...")

    @app.command("list")
    def list_(project: Annotated[str, typer.Option(help="...")]) -> None:
        rows = ...                                  # dataclasses or dicts, from a use case
        output.show_rows(rows, ["id", "state"], empty="No code revisions yet.")

and one row in `COMMANDS`. A verb that stands alone (`serve`) is a module with one `@app.command()`
and a row with `noun=False`. Imports that are slow (dagster, sqlalchemy, bootstrap) go inside the
functions. A command gets what every command has (--node, --json, --token) from `phems.cli.session`
without declaring it, raises `PhemsError` for whatever goes wrong, and prints through
`phems.cli.output` alone, so that --json works everywhere.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from phems import __version__
from phems.cli import failures, session
from phems.cli.interrupts import raising


@dataclass(frozen=True, slots=True)
class Row:
    """A noun or verb: the module with its `app`, and the line that `phems --help` shows."""

    module: str
    help: str
    noun: bool = True


COMMANDS: Mapping[str, Row] = {
    "init": Row("phems.cli.init", "Write a new node: a commented node.yaml.", noun=False),
    "check": Row("phems.cli.check", "Find everything that is wrong with a node.yaml.", noun=False),
    "schema": Row("phems.cli.schema", "Print the JSON Schema of node.yaml.", noun=False),
    "serve": Row("phems.cli.serve", "Run the node until it is stopped.", noun=False),
    "status": Row("phems.cli.status", "Show what the running node does.", noun=False),
    "backup": Row("phems.cli.backup", "The whole node in one new folder.", noun=False),
    "restore": Row("phems.cli.restore", "A node from a backup, where there is none.", noun=False),
    "upgrade": Row("phems.cli.upgrade", "The database, brought to what this version needs.", noun=False),
    "purge": Row("phems.cli.purge", "What old runs left, removed as node.yaml says.", noun=False),
    "usage": Row("phems.cli.usage", "What each project used: runs, CPU time, storage.", noun=False),
    "doctor": Row(
        "phems.cli.doctor", "Look at all that the node depends on, and say what to mend.", noun=False
    ),
    "demo": Row("phems.cli.demo", "The main job on a node of its own, checked as it goes.", noun=False),
    "login": Row("phems.cli.login", "Sign in at a node that is elsewhere.", noun=False),
    "logout": Row("phems.cli.logout", "Sign out there.", noun=False),
    "project": Row("phems.cli.project", "The projects of the node; a Code Repo for a new one."),
    "code": Row("phems.cli.code", "Code revisions: submit, approve, reject, revoke."),
    "run": Row("phems.cli.run", "Runs: launch, follow, read their logs, cancel."),
    "capsule": Row("phems.cli.capsule", "Run capsules: what would run in full, and who approved it."),
    "release": Row("phems.cli.release", "Release requests: ask, vote, decide, download."),
    "lineage": Row("phems.cli.lineage", "Where released files come from: data, code and decisions."),
    "policy": Row("phems.cli.policy", "Policy versions: what holds, what changes, who confirms."),
    "user": Row("phems.cli.user", "The local users of the node."),
    "coordinator": Row("phems.cli.coordinator", "Who is handed released packages: tokens of coordinators."),
    "broker": Row("phems.cli.broker", "Logins of projects at the RabbitMQ that carries steps."),
    "db": Row("phems.cli.db", "An external Postgres: set it up for the node."),
    "render": Row("phems.cli.render", "Files for other systems, made from node.yaml."),
    "audit": Row("phems.cli.audit", "The audit log: read, export, verify."),
}

EPILOG = """\
Exit codes: 0 ok, 1 failure, 2 bad input, 3 not found, 4 refused, 5 unavailable, 6 integrity, 130 interrupted.

Errors go to standard error: what happened, why, and the remedy; with --json as one JSON object."""


class PhemsGroup(TyperGroup):
    """The nouns and verbs of `COMMANDS`; help and completion read the table, not the modules."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, row in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=row.help, callback=None)
        self.params += session.shared_options()

    def get_params(self, ctx: Any) -> Any:
        """The options of `phems` itself, flags that are unset as false.

        Typer converts an unset flag, and imports pydantic for it: help would take three times as long.
        """
        params = super().get_params(ctx)
        for option in params:
            if option.default is None and getattr(option, "is_flag", False):
                option.default = False
        return params

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of its stand-in, then go on as usual."""
        row = COMMANDS.get(args[0]) if args else None
        if row is not None:
            self.commands[args[0]] = load(args[0], row)
        return super().resolve_command(ctx, args)


def load(name: str, row: Row) -> Any:
    """The real command of a row, with the options that every command has."""
    app: typer.Typer = import_module(row.module).app
    # A noun stays a group though it has but one verb: `phems project list`, never `phems project`.
    command: Any = typer.main.get_group(app) if row.noun else typer.main.get_command(app)
    # Completion is a matter of the whole command line: its options stand on `phems` alone.
    command.params = [option for option in command.params if not option.name.endswith("_completion")]
    command.name = name
    command.help = command.help or row.help
    _furnish(command)
    return command


def _furnish(command: Any) -> None:
    command.params += session.shared_options()
    command.rich_markup_mode = None
    if command.callback is not None:
        command.callback = raising()(command.callback)  # from here on, it acts
    for verb in getattr(command, "commands", {}).values():
        _furnish(verb)


app = typer.Typer(
    cls=PhemsGroup,
    help="A self-contained data node: project code walled off, releases voted on, every act audited.",
    epilog=EPILOG,
    no_args_is_help=True,
    # Plain help: the boxes that rich draws cost 0.2 s, twice the rest of the start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"phems {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


def run(args: Sequence[str]) -> int:
    """Run one command line and report whatever goes wrong; the exit code."""
    session.begin()
    # Wherever it stands, --json also decides how an error in the options themselves is told.
    as_json = "--json" in args
    try:
        result = typer.main.get_command(app).main(args=list(args), prog_name="phems", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing to tell anyone, and no second error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as error:  # noqa: BLE001 (the one place that answers for all of them)
        return failures.report(error, as_json=as_json or session.current().json)
    if result == failures.INTERRUPTED:
        return failures.report(KeyboardInterrupt(), as_json=as_json)
    return result if isinstance(result, int) else 0
