"""The command line starts fast, also without the control plane's packages, and ends as documented."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from phems.cli import app as cli_app
from phems.cli.app import COMMANDS, EPILOG
from phems.errors import (
    InputError,
    IntegrityError,
    NotFoundError,
    PhemsError,
    RefusedError,
    UnavailableError,
)

SLOW = ("dagster", "sqlalchemy", "pydantic", "pyarrow", "ruamel", "rich", "alembic", "psycopg2", "uvicorn")


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("line", ["--help", "--version", "project --help"])
def test_help_imports_nothing_slow(line: str) -> None:
    """Every second of a slow start is paid at each completion, each script line, each typing error."""
    said = python(
        f"""
        import sys
        from phems.cli.__main__ import main
        assert main({line.split()!r}) == 0
        loaded = sorted(set({SLOW!r}) & set(sys.modules))
        assert not loaded, loaded
        """
    )
    assert said.returncode == 0, said.stderr


def test_to_ask_how_a_node_is_imports_no_engine(tmp_path: Path) -> None:
    """Otherwise whoever watches a node waits seconds for each answer, and so does the node for its cores."""
    (tmp_path / "node.yaml").write_text("version: 1\nnode: {name: st-mary}\ncontroller: {name: St Mary}\n")
    said = python(
        f"""
        import sys
        from phems.cli.__main__ import main
        assert main(["--node", {str(tmp_path)!r}, "status"]) != 0  # nobody serves it
        assert not {{"dagster", "sqlalchemy", "alembic"}} & set(sys.modules)
        """
    )
    assert said.returncode == 0, said.stderr


def test_help_lists_nothing_by_importing_it() -> None:
    said = python(
        """
        import sys
        from phems.cli.__main__ import main
        main(["--help"])
        from phems.cli.app import COMMANDS
        assert not [row.module for row in COMMANDS.values() if row.module in sys.modules]
        """
    )
    assert said.returncode == 0, said.stderr
    for name in COMMANDS:
        assert f"  {name} " in said.stdout


def test_without_the_extra_the_remedy_is_the_command_that_installs_it() -> None:
    said = python(
        """
        import sys
        sys.modules["typer"] = None
        from phems.cli.__main__ import main
        sys.exit(main(["--help"]))
        """
    )
    assert said.returncode == 2
    assert "pip install 'phems-node[node]'" in said.stderr
    assert "Traceback" not in said.stderr


def test_every_exit_code_of_the_error_tree_is_in_the_help() -> None:
    words = {
        PhemsError: "failure",
        InputError: "bad input",
        NotFoundError: "not found",
        RefusedError: "refused",
        UnavailableError: "unavailable",
        IntegrityError: "integrity",
    }
    assert set(words) == {PhemsError, *PhemsError.__subclasses__()} - {
        kind for kind in PhemsError.__subclasses__() if kind.__module__ != PhemsError.__module__
    }
    for kind, word in words.items():
        assert f"{kind.exit_code} {word}" in EPILOG


def leaves(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    verbs = getattr(command, "commands", None)
    if verbs is None:
        return [(path, command)]
    return [leaf for name, verb in verbs.items() for leaf in leaves(verb, (*path, name))]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_there_with_help_and_the_shared_options(name: str) -> None:
    """A row without its module, or a command that knows no --json, fails the person who follows the help."""
    row = COMMANDS[name]
    assert isinstance(import_module(row.module).app, typer.Typer)
    for path, command in leaves(cli_app.load(name, row), (name,)):
        options = [opt for param in command.params for opt in param.opts]
        assert {"--node", "--json", "--token"} <= set(options), path
        assert len(options) == len(set(options)), f"{path} declares an option twice"
        assert command.help, path
    assert row.help.endswith(".")


def test_names_complete_in_the_shell() -> None:
    done = python(
        "from phems.cli.__main__ import main; main([])",
        _PHEMS_COMPLETE="complete_bash",
        COMP_WORDS="phems project l",
        COMP_CWORD="2",
    )
    assert done.stdout.split() == ["list"]


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`phems schema | head -1` must not end in a traceback."""
    program = [sys.executable, "-m", "phems.cli", "schema"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 1


def test_a_typing_error_is_answered_with_what_was_meant(phems: Callable[..., Any]) -> None:
    said = phems("projct", "list")
    assert said.code == 2
    assert "Did you mean 'project'?" in said.err
    assert "Remedy: phems --help" in said.err


def test_no_command_at_all_shows_the_help(phems: Callable[..., Any]) -> None:
    said = phems()
    assert said.code == 2
    assert "Commands:" in said.err + said.out
