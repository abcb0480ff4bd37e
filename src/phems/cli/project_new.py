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
from phems.cli.fresh_folder import check_free, write_files
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
    check_free(target, what="Code Repo", remedy=f"phems project new {name} ANOTHER")
    written = write_files(target, code_repo_files(name, package))
    output.done(
        {"folder": str(target), "project": name, "package": package, "written": written},
        f"Wrote {target}: {len(written)} files.\n"
        f"Next: git -C {target} init -b main, add and commit; name the folder in node.yaml as the project's\n"
        f"code.repo; then: phems code submit --project {name}",
    )


def code_repo_files(name: str, package: str) -> dict[str, str]:
    """The files of a Code Repo, by their places."""
    templates = resources.files("phems").joinpath("templates", "project")

    def filled(text: str) -> str:
        return text.replace("@PROJECT@", name).replace("@PACKAGE@", package)

    return {
        filled(place): filled(templates.joinpath(template).read_text(encoding="utf-8"))
        for template, place in FILES.items()
    }


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
