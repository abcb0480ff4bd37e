"""The kinds of text that the node spec allows: names, people, paths, branches, modules, dates.

Each is a pydantic type whose error carries its reason and remedy (see `refuse`), so that one
misspelt name is explained the same way wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = [
    "Branch",
    "Bucket",
    "Day",
    "FolderInRepo",
    "FromEnvironment",
    "Module",
    "Name",
    "PathText",
    "Person",
    "RepoAddress",
    "SecretPlace",
    "StrictBool",
    "StrictInt",
    "Title",
    "VariableName",
    "is_elsewhere",
    "matching",
    "refuse",
]

NAME = r"[a-z][a-z0-9-]{0,62}"
PERSON = r"[a-z0-9][a-z0-9._@+-]{0,126}"
MODULE = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"
VARIABLE = r"[A-Z_][A-Z0-9_]{0,126}"
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
FROM_ENVIRONMENT = r"env:[A-Za-z_][A-Za-z0-9_]{0,126}"
# git's rules for a branch (git-check-ref-format), less the exotic: no leading dash, so that a name
# can never be read as an option of git.
BRANCH = r"(?!.*(\.\.|//|@\{|\.lock$|/$|\.$))[A-Za-z0-9_][A-Za-z0-9._/@+-]{0,199}"
# A path or one of the transports that run no command of the address's choosing ("ext::sh -c ..." does).
REPO = r"(?!-)(?!ext::)(?!fd::)[^\x00-\x1f\x7f]{1,1000}"
TRANSPORTS = ("https://", "ssh://", "file://")
# Of an address on another machine: no password (node.yaml is no place for secrets), no query, and no name
# that begins with a dash, which ssh would read as an option.
_HOST = r"([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
REMOTE_REPO = (
    rf"https://{_HOST}/[^\s?#]+"
    rf"|ssh://({_USER}@)?{_HOST}/[^\s?#]+"
    rf"|{_USER}@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:?#-][^\s?#]*"
)
SECRET_PLACE = r"env:[A-Za-z_][A-Za-z0-9_]{0,126}|file:[^\x00-\x1f]{1,1000}"  # noqa: S105 (a pattern)

# What the node itself sets, or what would change how the sandbox loads code.
RESERVED_VARIABLES = ("LD_", "PYTHON", "DAGSTER_", "PHEMS_", "PATH", "HOME", "TMPDIR", "PWD", "SHELL", "IFS")


def refuse(what: str, *, why: str, remedy: str) -> PydanticCustomError:
    """A validation error that carries its reason and remedy; raise what it returns."""
    # pydantic fills {braces} of the message from the context; ours holds none.
    return PydanticCustomError("phems", "{what}", {"what": what, "why": why, "remedy": remedy})


def matching(
    pattern: str, *, what: str, why: str, remedy: str, flags: re.RegexFlag = re.ASCII
) -> Callable[[str], str]:
    """A check that a text is `pattern` from end to end; `{value}` in `what` stands for its beginning."""
    compiled = re.compile(pattern, flags)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise refuse(what.replace("{value}", repr(value[:80])), why=why, remedy=remedy)
        return value

    return check


def _path(value: str) -> str:
    if not value.strip() or "\x00" in value:
        raise refuse(
            "is not a path", why="it is empty or holds a NUL character", remedy="name a file or folder"
        )
    return value


def _folder_in_repo(value: str) -> str:
    parts = _path(value).split("/")
    if value.startswith("/") or ".." in parts or "\\" in value:
        raise refuse(
            f"{value!r} leaves the Code Repo",
            why="it names a folder inside the repo",
            remedy='write a relative folder without "..", such as src, or "." for the whole repo',
        )
    return value


def _repo(value: str) -> str:
    address = value.strip()
    has_scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:(:|//)", address)
    if (
        address != value
        or re.fullmatch(REPO, value, re.DOTALL) is None
        or (has_scheme and not value.startswith(TRANSPORTS))
    ):
        raise refuse(
            f"{value[:80]!r} is not the address of a Git repo",
            why="only folders and https, ssh and file addresses are read",
            remedy="write a folder (relative to node.yaml), https://host/repo.git or git@host:repo.git",
        )
    if is_elsewhere(value) and re.fullmatch(REMOTE_REPO, value, re.ASCII) is None:
        raise refuse(
            "is not the address of a Git repo alone",
            why="it holds a password, a query, or a name that a program would read as an option",
            remedy="write https://host/repo.git, and under code.remote where the token is kept",
        )
    return value


def is_elsewhere(address: str) -> bool:
    """Whether a Code Repo is reached over the network: by https, or by ssh in one of its two forms."""
    return address.startswith(("https://", "ssh://")) or re.match(r"[^/]+@[^/:]+:", address) is not None


def _variable(value: str) -> str:
    if value.startswith(RESERVED_VARIABLES):
        raise refuse(
            f"{value} is reserved",
            why="it would change how the node starts project code",
            remedy="take a name that does not start with " + " ".join(RESERVED_VARIABLES),
        )
    return value


def _day(value: Any) -> date:
    # YAML reads 2027-01-31 as a date; quoted it is text. A date with a time is neither.
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise refuse("is not a date", why="a day is year-month-day", remedy="write it as in 2027-01-31")
    return value


Name = Annotated[
    str,
    AfterValidator(
        matching(
            NAME,
            what="is not a name",
            why="a name starts with a small letter and has at most 63 small letters, digits and dashes",
            remedy="rename it, as in heart-attack",
        )
    ),
    Field(json_schema_extra={"pattern": f"^{NAME}$"}),
]
"""A project, data source or policy."""

Person = Annotated[
    str,
    AfterValidator(
        matching(
            PERSON,
            what="is not a user's name",
            why="a user's name has small letters, digits and . _ @ + -",
            remedy="write the name that the person signs in with (phems user list)",
        )
    ),
    Field(json_schema_extra={"pattern": f"^{PERSON}$"}),
]
"""A person, by the name they sign in with."""

Title = Annotated[str, Field(min_length=1, max_length=200)]
"""One line for people to read."""

PathText = Annotated[str, AfterValidator(_path)]
"""A path, relative to the folder of node.yaml unless it starts with a slash."""

FromEnvironment = Annotated[
    str,
    AfterValidator(
        matching(
            FROM_ENVIRONMENT,
            what="the token stands in node.yaml",
            why="node.yaml is kept in Git, and is no place for secrets",
            remedy="write env:NAME, and set NAME where the node runs",
        )
    ),
]
"""A secret, by the environment variable that holds it."""

Bucket = Annotated[
    str,
    AfterValidator(
        matching(
            BUCKET,
            what="is not the name of a bucket",
            why="a bucket has 3 to 63 small letters, digits, dots and dashes",
            remedy="write the name alone, without s3://",
        )
    ),
]
"""A bucket of an S3-compatible service."""

SecretPlace = Annotated[
    str,
    AfterValidator(
        matching(
            SECRET_PLACE,
            what="the secret stands in node.yaml",
            why="node.yaml is kept in Git, and is no place for secrets",
            remedy="write env:NAME or file:PATH, and keep the secret there",
            flags=re.UNICODE,
        )
    ),
]
"""A secret, by the environment variable or the file that holds it."""

FolderInRepo = Annotated[str, AfterValidator(_folder_in_repo)]
RepoAddress = Annotated[str, AfterValidator(_repo)]

Branch = Annotated[
    str,
    AfterValidator(
        matching(
            BRANCH,
            what="is not the name of a branch",
            why="git would not take it, or would read it as an option",
            remedy="write a branch as `git branch` shows it, such as main",
        )
    ),
]

Module = Annotated[
    str,
    AfterValidator(
        matching(
            MODULE,
            what="is not the name of a Python module",
            why="Python could not import it",
            remedy="write it with dots, as in heart_attack.definitions",
        )
    ),
    Field(json_schema_extra={"pattern": f"^{MODULE}$"}),
]

VariableName = Annotated[
    str,
    AfterValidator(
        matching(
            VARIABLE,
            what="is not the name of an environment variable",
            why="a name has capital letters, digits and underscores",
            remedy="rename it, as in STUDY_YEAR",
        )
    ),
    AfterValidator(_variable),
    Field(json_schema_extra={"pattern": f"^{VARIABLE}$"}),
]

Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
