"""Where packages come from for projects that have Python environments of their own."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.names import FROM_ENVIRONMENT, PathText, matching

_INDEX = r"https://[A-Za-z0-9.-]+(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/+-]*)?"
_LOCK = r"requirements[A-Za-z0-9._-]*\.(txt|lock)"


_index = matching(
    f"{_INDEX}|{FROM_ENVIRONMENT}",
    what="is not the address of a package index",
    why="it is https without user, password or query: node.yaml is no place for secrets",
    remedy="write https://packages.hospital.example/simple, or env:NAME when it holds a password",
)
_lock = matching(
    _LOCK,
    what="{value} is not the name of a requirements file",
    why="it lies at the top of the Code Repo, where it counts for the environment digest",
    remedy="write requirements.txt",
)


RequirementsFile = Annotated[str, AfterValidator(_lock)]
"""A lock file at the top of a Code Repo, in pip's form."""


class Environments(Section):
    """Where the packages of projects come from. Never from where a project says."""

    wheelhouse: PathText | None = Field(
        default=None,
        description="A folder of wheels, relative to node.yaml. Alone, it needs no network.",
    )
    index: Annotated[str, AfterValidator(_index)] | None = Field(
        default=None,
        description="The address of a package index (PEP 503), or env:NAME to read it from the environment. "
        "Unset: UV_DEFAULT_INDEX where the node runs, or none.",
    )
