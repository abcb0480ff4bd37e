"""Rules on what a profile needs beside the node itself."""

from __future__ import annotations

from collections.abc import Iterator

from phems.nodespec.findings import Finding
from phems.nodespec.models import NodeSpec


def servers_have_a_broker(spec: NodeSpec) -> Iterator[Finding]:
    """Workers that are processes of their own are handed their steps by a broker."""
    if spec.profile != "embedded" and spec.broker is None:
        yield Finding(
            ("broker",),
            "is missing",
            f"profile {spec.profile} hands steps to its workers through RabbitMQ",
            "write broker: {url: 'amqp://127.0.0.1:5672', management: 'http://127.0.0.1:15672'}",
            (("profile",),),
        )
