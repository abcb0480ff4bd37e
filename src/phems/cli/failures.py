"""The one place where an exception becomes words and an exit code.

A `PhemsError` is three lines on standard error (`Error:`, `Why:`, `Remedy:`), with --json one object
`{"error": {...}}`. An unexpected exception is told in the same form; its traceback goes to a file,
or to the screen with PHEMS_DEBUG=1.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from typer.exceptions import TyperException

from phems.errors import InputError, PhemsError, UnavailableError

INTERRUPTED = 130

# What the operating system says, for people.
_SYSTEM_ERRORS: Mapping[int | None, tuple[str, str]] = {
    errno.ENOSPC: ("The disk is full.", "Make room, then try again: df -h"),
    errno.EDQUOT: ("The disk quota is used up.", "Make room, then try again: quota"),
    errno.EACCES: ("A file or folder cannot be used.", "Check its permissions: ls -ld"),
    errno.EPERM: ("A file or folder cannot be used.", "Check its owner and permissions: ls -ld"),
    errno.EROFS: ("The disk is read-only.", "Name a folder that can be written."),
    errno.EMFILE: ("Too many files are open.", "Raise the limit: ulimit -n 4096"),
    errno.ENAMETOOLONG: ("A name is too long.", "Take a shorter folder name."),
}

# Names of the error tree as words for programs: NotFoundError is "not_found".
_WORD_STARTS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def report(error: BaseException, *, as_json: bool) -> int:
    """Tell a failure on standard error; the exit code."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, KeyboardInterrupt | typer.Abort) or _is_made_of_ctrl_c(error):
        _print(
            "Interrupted.", as_json, {"kind": "interrupted", "what": "Interrupted.", "exit_code": INTERRUPTED}
        )
        return INTERRUPTED
    if type(error).__name__ == "NoArgsIsHelpError":
        _print(str(error), as_json=False, fields={})
        return InputError.exit_code
    known = explain(error)
    if os.environ.get("PHEMS_DEBUG") == "1":
        traceback.print_exception(error)
    _print(_lines(known), as_json, fields(known))
    return known.exit_code


def _is_made_of_ctrl_c(error: BaseException) -> bool:
    """Whether Ctrl-C was made an error of something else, as Python does where a class is made."""
    if isinstance(error, PhemsError):
        return False
    below: BaseException | None = error
    while below is not None and not isinstance(below, KeyboardInterrupt):
        below = below.__cause__ or below.__context__
    return below is not None


def explain(error: BaseException) -> PhemsError:
    """Any exception as one of the error tree."""
    if isinstance(error, PhemsError):
        return error
    if isinstance(error, TyperException):
        ctx = getattr(error, "ctx", None)
        command = ctx.command_path if ctx is not None else "phems"
        return InputError(error.format_message(), remedy=f"{command} --help")
    if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
        what, remedy = _SYSTEM_ERRORS[error.errno]
        where = f" {error.filename}" if error.filename else ""
        return UnavailableError(what, why=f"{error.strerror}{':' if where else ''}{where}.", remedy=remedy)
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("phems"):
        return UnavailableError(
            f"The Python package {error.name} is missing.",
            why="This command needs the control plane's packages.",
            remedy="pip install 'phems-node[node]'",
        )
    return PhemsError(
        "Something went wrong that should not have.",
        why=f"{type(error).__name__}: {str(error)[:300]}",
        remedy=_keep_traceback(error),
    )


def fields(error: PhemsError) -> dict[str, Any]:
    """An error as plain data for programs."""
    tree = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == PhemsError.__module__)
    kind = _WORD_STARTS.sub("_", tree).lower().removesuffix("_error")
    plain: dict[str, Any] = {
        "kind": "failure" if kind == "phems" else kind,
        "what": error.what,
        "why": error.why,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }
    problems = getattr(error, "problems", None)
    if problems is not None:
        plain["what"] = error.what.partition(":\n")[0]
        plain["problems"] = [asdict(problem) for problem in problems]
    return plain


def _lines(error: PhemsError) -> str:
    # The words may quote project code or file names: no control character reaches the terminal.
    from phems.cli.output import visible

    told = (("Error", error.what), ("Why", error.why), ("Remedy", error.remedy))
    return "\n".join(f"{label}: " + visible(text, keep="\n") for label, text in told if text)


def _print(text: str, as_json: bool, fields: Mapping[str, Any]) -> None:
    # Nobody can be told when standard error itself is closed.
    try:
        if as_json:
            text = json.dumps({"error": fields}, ensure_ascii=False)
        if text:
            print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass


def _keep_traceback(error: BaseException) -> str:
    """Write the traceback to a file of the user's own; where it is, as a remedy."""
    if os.environ.get("PHEMS_DEBUG") == "1":
        return "The traceback above says where; please report it."
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "phems"
    file = state / "last-error.log"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as log:
            log.writelines(traceback.format_exception(error))
    except OSError:
        return "Say PHEMS_DEBUG=1 before the command to see where; please report it."
    return f"The log is {file}; please report it."
