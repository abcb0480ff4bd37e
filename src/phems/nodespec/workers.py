"""The section `workers` of node.yaml: what worker processes tell Prometheus, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from phems.nodespec.base import Section
from phems.nodespec.names import StrictInt

if TYPE_CHECKING:
    from phems.nodespec.models import NodeSpec


class WorkerMetrics(Section):
    """Where each worker process answers GET /metrics: to this machine, or who has gateway.metrics.token."""

    host: str = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: StrictInt = Field(
        default=9464,
        ge=1,
        le=65_000,
        description="The first of as many ports as there are projects; each process takes one that is free.",
    )


class Workers(Section):
    """Worker processes of the profiles server and kubernetes."""

    metrics: WorkerMetrics | None = Field(
        default=None, description="Where each tells its numbers; unset: nowhere."
    )


def metrics_ports(spec: NodeSpec) -> range:
    """The ports of workers' metrics: none where node.yaml has no such section."""
    told = spec.workers.metrics
    return range(0) if told is None else range(told.port, told.port + len(spec.projects))
