"""`phems project new`: a Code Repo to begin with, in the shape that Dagster's `dg` expects."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from phems.cli import output
from phems.errors import InputError

# Where each template goes. They end in .txt: what they hold is code of a project, not of the node.
FILES: Mapping[str, str] = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "check.yaml.txt": ".github/workflows/check.yaml",
    "package.py.txt": "src/@PACKAGE@/__init__.py",
    "definitions.py.txt": "src/@PACKAGE@/definitions.py",
    "defs.py.txt": "src/@PACKAGE@/defs/__init__.py",
    "resources.py.txt": "src/@PACKAGE@/defs/resources.py",
    "example.py.txt": "src/@PACKAGE@/defs/example.py",
    "test_definitions.py.txt": "tests/test_definitions.py",
}
# A package of one of these names would hide what project code itself imports.
_TAKEN = frozenset({"dagster", "phems", "pyarrow", "grpc", "pydantic", "tests", "conftest"})


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project's name, as in node.yaml.")],
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="The Code Repo's folder. Default: NAME.", show_default=False),
    ] = None,
) -> None:
    """Write a new Code Repo: definitions, tests and a workflow, in the shape that `dg` expects."""
    package = _package(name)
    target = folder if folder is not None else Path(name)
    _check_free(name, target)
    written = write(name, package, target)
    output.done(
        {"folder": str(target), "project": name, "package": package, "written": written},
        f"Wrote {target}: {len(written)} files.\n"
        f"Next: git -C {target} init -b main, add and commit; name the folder in node.yaml as the project's\n"
        f"code.repo; then: phems code submit --project {name}",
    )


def write(name: str, package: str, target: Path) -> list[str]:
    """Write the files; what was begun is taken back when one cannot be written."""
    templates = resources.files("phems").joinpath("templates", "project")
    written: list[Path] = []
    try:
        for template, place in FILES.items():
            text = templates.joinpath(template).read_text(encoding="utf-8")
            file = target / place.replace("@PACKAGE@", package)
            file.parent.mkdir(parents=True, exist_ok=True)
            written.append(file)
            file.write_text(text.replace("@PROJECT@", name).replace("@PACKAGE@", package), encoding="utf-8")
    except BaseException:
        for begun in written:
            begun.unlink(missing_ok=True)
        raise
    return [str(file.relative_to(target)) for file in written]


def _package(name: str) -> str:
    """The Python package of a project of this name."""
    from phems.nodespec.names import NAME

    if re.fullmatch(NAME, name, re.ASCII) is None:
        raise InputError(
            f"{name!r} is not a name for a project.",
            why="A name starts with a small letter and has at most 63 small letters, digits and dashes.",
            remedy="phems project new heart-attack",
        )
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _TAKEN:
        raise InputError(
            f"{name!r} cannot be the name of a project.",
            why=f"Its Python package would be called {package}, which Python or the node needs for itself.",
            remedy=f"phems project new {name}-study",
        )
    return package


def _check_free(name: str, target: Path) -> None:
    """Nothing is ever written over: only a folder that is not there, or has nothing but `.git`."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(
            f"{target} is not a folder.",
            why="A Code Repo is one.",
            remedy=f"phems project new {name} ANOTHER",
        )
    found = sorted(item.name for item in target.iterdir() if item.name != ".git") if target.exists() else []
    if found:
        raise InputError(
            f"{target} is not empty.",
            why=f"{found[0]} is there, and nothing is ever written over.",
            remedy=f"phems project new {name} ANOTHER",
        )
