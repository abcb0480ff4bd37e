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


def mlflow_is_beside_its_sandbox(spec: NodeSpec) -> Iterator[Finding]:
    """MLflow's server runs in a sandbox of the machine that asks it."""
    for name, project in spec.projects.items():
        if project.mlflow and spec.profile == "kubernetes":
            yield Finding(
                ("projects", name, "mlflow"),
                "cannot be had in profile kubernetes",
                "its server runs in a sandbox of this machine, and steps in pods do not reach it",
                "take it out, or choose profile server",
                (("profile",),),
            )
