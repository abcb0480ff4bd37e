"""Paths that came from project code or a Code Repo: checked before anything is opened by them.

A path that passes is relative, has plain components only, cannot climb, and prints as one line.
Opening is the business of `adapters.files`, which follows no symbolic link on the way.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from phems.errors import InputError

MAX_PATH_BYTES = 1024
MAX_COMPONENT_BYTES = 255

# Control and format characters, lone surrogates, line and paragraph separators: they would let a
# file name write to a terminal, hide its extension, or have no canonical form.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def _hidden(path: str) -> bool:
    return any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in path)


def _too_long(path: str) -> bool:
    longest = max(len(part.encode()) for part in path.split("/"))
    return len(path.encode()) > MAX_PATH_BYTES or longest > MAX_COMPONENT_BYTES


# In this order: the length can only be taken of a path without lone surrogates.
_PROBLEMS: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda path: not path, "it is empty"),
    (_hidden, "it holds a control or invisible character"),
    (lambda path: path.startswith("/"), "it is absolute"),
    (lambda path: "\\" in path, "it holds a backslash"),
    (lambda path: ".." in path.split("/"), "it climbs with '..'"),
    (lambda path: not {"", "."}.isdisjoint(path.split("/")), "it holds an empty or '.' component"),
    (_too_long, f"it is longer than {MAX_PATH_BYTES} bytes, or one of its names than {MAX_COMPONENT_BYTES}"),
)


def problem_with(path: str) -> str | None:
    """Why `path` may not be used, as a clause; None when it may."""
    return next((problem for applies, problem in _PROBLEMS if applies(path)), None)


def check_relative_path(path: str, *, thing: str, remedy: str) -> tuple[str, ...]:
    """The components of `path`; raises `InputError` naming it when it may not be used."""
    problem = problem_with(path)
    if problem is not None:
        raise InputError(f"The path {path!r} of {thing} is refused.", why=f"{problem}.", remedy=remedy)
    return tuple(path.split("/"))
