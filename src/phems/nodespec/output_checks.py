"""Output checks in the node spec: the numbers that released files are measured against, and the limits.

The defaults of the disclosure thresholds are those of ACRO and of the SDC Handbook (Griffiths et al.
2024, doi:10.6084/m9.figshare.9958520): ten units in a cell and ten residual degrees of freedom, the
(n, k) rule with n = 2 and k = 90 %, the p-ratio rule with p = 10 %.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from phems.nodespec.base import Section
from phems.nodespec.names import StrictInt
from phems.nodespec.sizes import Size

GIB = 1024**3


class Thresholds(Section):
    """Numbers that output checks measure released files against."""

    small_cell: StrictInt = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="A count of people below this, other than zero, is a small cell.",
    )
    zero_cells: Literal["allow", "review", "fail"] = Field(
        default="allow",
        description="What is said of a count of nobody: that a group is empty can be told of all its people.",
    )
    dominance_n: StrictInt = Field(
        default=2, ge=1, le=100, description="(n, k) rule: how many of the largest contributors count."
    )
    dominance_k: StrictInt = Field(
        default=90,
        ge=1,
        le=100,
        description="(n, k) rule: the percentage of a cell's value that the n largest must stay below.",
    )
    p_ratio: StrictInt = Field(
        default=10,
        ge=1,
        le=100,
        description="p-ratio rule: what is left of a cell's value without its two largest contributors "
        "must be at least this percentage of the largest.",
    )
    residual_dof: StrictInt = Field(
        default=10, ge=1, le=1_000_000, description="The least residual degrees of freedom of a model."
    )
    protection: StrictInt = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="A suppressed cell must stay open by this many people, whatever else is published.",
    )
    rows_per_parameter: StrictInt = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="A model with fewer training rows for each of its parameters is looked at by a person.",
    )


class OutputChecks(Section):
    """What output checks may use, and what becomes of what they find."""

    on_fail: Literal["justify", "block"] = Field(
        default="justify",
        description="justify: a file that failed a check is approved only with a written reason. "
        "block: it cannot be approved.",
    )
    max_rows: StrictInt = Field(
        default=100_000, ge=1, le=10_000_000_000, description="The most rows of a released table."
    )
    max_columns: StrictInt = Field(
        default=1000, ge=1, le=100_000, description="The most columns of a released table."
    )
    seconds: StrictInt = Field(
        default=60,
        ge=1,
        le=86_400,
        description="How long one check may take over one file, in seconds; then it has failed.",
    )
    memory: Size = Field(default=GIB, description="Memory of the process that checks.")
