"""Failures: three lines and an exit code for people, one object for programs, never a traceback."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from tests.typed_lines import Phems

from phems.cli import check as check_module
from phems.cli import failures
from phems.errors import IntegrityError, NotFoundError, PhemsError, RefusedError, UnavailableError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes `phems check` end in an exception."""

    def fail_with(error: BaseException) -> None:
        app = typer.Typer()

        @app.command()
        def check() -> None:
            """Fail."""
            raise error

        monkeypatch.setattr(check_module, "app", app)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError("What.", why="Why.", remedy="Do."), 3),
        (RefusedError("What.", why="Why.", remedy="Do."), 4),
        (UnavailableError("What.", why="Why.", remedy="Do."), 5),
        (IntegrityError("What.", why="Why.", remedy="Do."), 6),
        (PhemsError("What.", why="Why.", remedy="Do."), 1),
    ],
)
def test_an_error_is_three_lines_and_its_exit_code(
    phems: Phems, failing: Callable[..., None], error: PhemsError, code: int
) -> None:
    failing(error)
    said = phems("check")
    assert said.code == code
    assert said.err == "Error: What.\nWhy: Why.\nRemedy: Do.\n"
    assert said.out == ""


def test_with_json_an_error_is_one_object(phems: Phems, failing: Callable[..., None]) -> None:
    failing(NotFoundError("What.", why="Why.", remedy="Do."))
    for line in (("check", "--json"), ("--json", "check")):
        said = phems(*line)
        assert said.error == {
            "kind": "not_found",
            "what": "What.",
            "why": "Why.",
            "remedy": "Do.",
            "exit_code": 3,
        }
        assert said.code == 3


def test_a_bug_of_ours_is_told_in_words_and_its_traceback_kept(
    phems: Phems, failing: Callable[..., None], tmp_path: Path
) -> None:
    failing(KeyError("surprise"))
    said = phems("check")
    assert said.code == 1
    assert "Traceback" not in said.err
    log = tmp_path / "state" / "phems" / "last-error.log"
    assert str(log) in said.err
    assert "surprise" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_a_bug_shows_its_traceback_when_asked_for(
    phems: Phems, failing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHEMS_DEBUG", "1")
    failing(KeyError("surprise"))
    assert "Traceback" in phems("check").err


def test_where_no_log_can_be_kept_the_error_is_told_all_the_same(
    phems: Phems, failing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    failing(KeyError("surprise"))
    said = phems("check")
    assert said.code == 1
    assert "PHEMS_DEBUG=1" in said.err


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "The disk is full."), (errno.EACCES, "cannot be used"), (errno.EROFS, "read-only")],
)
def test_what_the_machine_refuses_is_told_with_the_file(
    phems: Phems, failing: Callable[..., None], number: int, words: str
) -> None:
    failing(OSError(number, "reason", "/some/file"))
    said = phems("check")
    assert said.code == 5
    assert words in said.err
    assert "/some/file" in said.err


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    phems: Phems, failing: Callable[..., None]
) -> None:
    failing(ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn"))
    said = phems("check")
    assert said.code == 5
    assert "pip install 'phems-node[node]'" in said.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort(), EOFError()])
def test_ctrl_c_is_130_and_one_word(phems: Phems, failing: Callable[..., None], error: BaseException) -> None:
    failing(error)
    said = phems("check")
    assert said.code == 130
    assert said.err.strip() == "Interrupted."
    said = phems("check", "--json")
    assert (said.code, said.error["kind"]) == (130, "interrupted")


def test_ctrl_c_told_as_an_error_of_a_class_is_an_interruption(
    phems: Phems, failing: Callable[..., None]
) -> None:
    """Otherwise an unlucky Ctrl-C among imports is a fault to report."""
    error = RuntimeError("Error calling __set_name__ on 'Field' instance 'declared' in 'NodeGrounds'")
    error.__cause__ = KeyboardInterrupt()
    failing(error)
    said = phems("check")
    assert (said.code, said.err.strip()) == (130, "Interrupted.")


@pytest.mark.parametrize(("raised", "code"), [(typer.Exit(7), 7), (SystemExit(4), 4), (SystemExit(None), 0)])
def test_a_command_that_chooses_its_exit_code_gets_it(
    phems: Phems, failing: Callable[..., None], raised: BaseException, code: int
) -> None:
    failing(raised)
    assert phems("check").code == code


def test_a_wrong_option_under_json_is_json_too(phems: Phems) -> None:
    said = phems("project", "list", "--wrong", "--json")
    assert said.code == 2
    assert said.error["remedy"] == "phems project list --help"


def test_control_characters_in_an_error_do_not_reach_the_terminal(
    phems: Phems, failing: Callable[..., None]
) -> None:
    """A file name of project code must not repaint the terminal of who reads the error."""
    failing(NotFoundError("There is no \x1b[2Jfile.", why="a\nb"))
    said = phems("check")
    assert "\x1b" not in said.err
    assert "\\x1b[2Jfile" in said.err


def test_a_closed_standard_error_does_not_hide_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, _: str) -> int:
            raise OSError(errno.EPIPE, "closed")

        def flush(self) -> None: ...

    monkeypatch.setattr("sys.stderr", Closed())
    assert failures.report(RefusedError("no"), as_json=False) == 4


def test_problems_of_a_spec_are_listed_for_programs() -> None:
    from phems.nodespec import Problem, SpecError

    plain = failures.fields(SpecError([Problem("node.yaml", 3, "a.b", "is wrong", "because", "mend it")]))
    assert plain["kind"] == "input"
    assert plain["what"] == "node.yaml has 1 problem"
    assert plain["problems"][0]["line"] == 3
    json.dumps(plain)
