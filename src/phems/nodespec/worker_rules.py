"""Rules on what worker processes tell, and to whom."""

from __future__ import annotations

from collections.abc import Iterator

from phems.nodespec.findings import Finding
from phems.nodespec.gateway_rules import is_loopback
from phems.nodespec.models import NodeSpec


def worker_metrics_are_meant(spec: NodeSpec) -> Iterator[Finding]:
    """There are workers that tell numbers, and strangers are told none."""
    told = spec.workers.metrics
    if told is None:
        return
    if spec.profile == "embedded":
        yield Finding(
            ("workers", "metrics"),
            "tells of nothing",
            "a node of the profile embedded has no workers; its own /metrics tells of steps",
            "take it out, or set profile: server",
            (("profile",),),
        )
    if not is_loopback(told.host) and spec.gateway.metrics.token is None:
        yield Finding(
            ("workers", "metrics", "host"),
            f"{told.host} can be reached from other machines",
            "there is no gateway.metrics.token that who asks would have to show",
            "write 127.0.0.1, or add gateway.metrics: {token: env:NAME}",
            (("gateway", "metrics", "token"),),
        )
