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


def mlflow_is_where_its_folder_is(spec: NodeSpec) -> Iterator[Finding]:
    """MLflow's server keeps its files in a folder of this machine, behind a sandbox of this machine."""
    for name, project in spec.projects.items():
        if not project.mlflow:
            continue
        if spec.profile == "kubernetes":
            yield Finding(
                ("projects", name, "mlflow"),
                "cannot be had in profile kubernetes",
                "its server runs in a sandbox of this machine, and steps in pods do not reach it",
                "take it out, or choose profile server",
                (("profile",),),
            )
        elif spec.storage.s3 is not None:
            yield Finding(
                ("projects", name, "mlflow"),
                "cannot be had beside storage.s3",
                "its server keeps files in data_dir, which the machines of this node do not share",
                "take it out, or take storage.s3 out",
                (("storage", "s3"),),
            )
