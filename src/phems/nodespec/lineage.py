"""The section `lineage` of node.yaml: where the OpenLineage events of runs and releases go.

The node keeps them in its database in any case. They hold names of jobs, steps, assets and columns, so both
places are inside the node.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from phems.nodespec.base import Section
from phems.nodespec.names import SecretPlace, StrictInt, matching
from phems.nodespec.notifications import HTTPS_OR_HERE
from phems.nodespec.sizes import Size

CollectorUrl = Annotated[
    str,
    AfterValidator(
        matching(
            HTTPS_OR_HERE,
            what="{value} is no address that lineage may go to",
            why="events go by https, and in the clear to this machine alone",
            remedy="write it as in https://marquez.hospital.example/api/v1/lineage",
        )
    ),
]


class LineageFile(Section):
    """A file of events, one JSON object a line: lineage/events.ndjson in the data folder."""

    size: Size = Field(
        default=64 * 1024**2,
        description="When it is so large it is put aside, and a new one begun.",
        examples=["64MiB"],
    )
    keep: StrictInt = Field(
        default=10, ge=0, le=10_000, description="How many that were put aside are kept; the oldest go."
    )


class Collector(Section):
    """A program inside the node that takes OpenLineage events, such as Marquez."""

    url: CollectorUrl = Field(description="Where it takes a POST for each event.")
    token: SecretPlace | None = Field(
        default=None,
        description="env:NAME or file:PATH (relative to node.yaml) of its bearer token; unset: none is sent.",
    )


class Lineage(Section):
    """Where OpenLineage events go. A place that is named later is told everything from the beginning."""

    file: LineageFile | None = Field(default=None, description="Into a file; {} takes what is usual.")
    collector: Collector | None = Field(default=None, description="To a collector, by HTTP.")
