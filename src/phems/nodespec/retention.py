"""Retention in the node spec: for how long what runs left is kept, beside what governance keeps for ever."""

from __future__ import annotations

from pydantic import Field

from phems.nodespec.base import Section
from phems.nodespec.names import StrictInt


class Retention(Section):
    """Days after the end of a run; what is unset is kept. `phems purge` removes what is older."""

    event_logs: StrictInt | None = Field(
        default=None, ge=1, le=36_500, description="Events of the run, as Dagster's pages show them."
    )
    compute_logs: StrictInt | None = Field(
        default=None, ge=1, le=36_500, description="What its steps printed."
    )
    artifacts: StrictInt | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Outputs and values that its steps wrote to the artifact folder; never an asset's value.",
    )
    environments: StrictInt | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Packages that were unpacked for its code, after they were last used; never those of "
        "code that may run.",
    )
