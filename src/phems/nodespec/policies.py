"""Policies of the node spec: what must hold before code runs and before files leave."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.names import StrictBool, StrictInt, refuse
from phems.nodespec.output_checks import OutputChecks, Thresholds
from phems.nodespec.sizes import Size

MIB = 1024 * 1024

# Files that run when opened, or when loaded: never releasable, whatever a policy says.
ACTIVE_FILE_TYPES = frozenset(
    {
        *("pkl", "pickle", "joblib", "dill", "npy", "pt", "pth", "rds", "rdata"),
        *("html", "htm", "xhtml", "mhtml", "svg", "xml", "js", "wasm", "swf"),
        *("docm", "xlsm", "pptm", "xlsb", "exe", "dll", "so", "sh", "bat", "cmd", "ps1", "py", "jar"),
        *("zip", "tar", "gz", "tgz", "bz2", "xz", "7z", "rar", "zst"),
    }
)


def _file_type(value: str) -> str:
    if not (value.isascii() and value.isalnum() and value == value.lower() and len(value) <= 16):  # noqa: PLR2004
        raise refuse(
            f"{value[:40]!r} is not a file type",
            why="a type is the small letters after a file's last dot",
            remedy="write it as in csv",
        )
    if value in ACTIVE_FILE_TYPES:
        raise refuse(
            f"{value} may not be released",
            why="such a file can run code when opened, or hide others",
            remedy="leave it out; release tables as csv or parquet, plots as png, models as json",
        )
    return value


FileType = Annotated[
    str, AfterValidator(_file_type), Field(json_schema_extra={"pattern": "^[a-z0-9]{1,16}$"})
]


class Policy(Section):
    """A named set of rules that projects refer to."""

    approvals: StrictInt = Field(
        default=1,
        ge=1,
        le=20,
        description="Information Asset Owners who must approve a code revision, its author excluded.",
    )
    approvals_from_different_organisations: StrictBool = Field(
        default=False,
        description="Count one approval per organisation (see organisations); who has none does not count.",
    )
    signatures: Literal["required", "optional"] = Field(
        default="required",
        description="required: an approval counts when its signature verifies. optional: an unsigned one "
        "counts too, so that whoever can write to the database can forge one.",
    )
    approve: Literal["code", "capsule"] = Field(
        default="code",
        description="code: approved code runs as often as members like, inside the granted data. "
        "capsule: each new run capsule is approved by an Information Asset Owner first.",
    )
    votes: StrictInt = Field(
        default=2,
        ge=2,
        le=20,
        description="Output Checkers who must vote on each file of a release, its author excluded.",
    )
    sandbox: Literal["preferred", "required"] = Field(
        default="preferred",
        description="required: no sandbox, no run. preferred: without bubblewrap code runs with a warning.",
    )
    file_types: tuple[FileType, ...] = Field(
        default=("csv", "json", "md", "parquet", "pdf", "png", "txt"),
        min_length=1,
        description="Endings of the files that may be released.",
    )
    max_file_size: Size = Field(default=50 * MIB, description="The largest file that may be released.")
    thresholds: Thresholds = Field(default=Thresholds(), description="Disclosure thresholds.")
    checks: OutputChecks = Field(default=OutputChecks(), description="How output checks run and count.")
