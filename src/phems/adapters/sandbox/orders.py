"""The order that a host is started with: its plan, with every path as the host will see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phems.contract.step_order import HostOrder
from phems.engine.sandbox import HostPlan

SOCKET_NAME = "grpc.sock"


@dataclass(frozen=True)
class Places:
    """Where one kind of sandbox shows a host its things; `source(name, path)` tells it of a data source."""

    code: str
    host_dir: str
    artifact_dir: str
    data_dir: str
    storage_socket: str
    capability_dir: str
    source: Callable[[str, Path], str]
    fetched_dir: str | None = None


def order_for(plan: HostPlan, places: Places) -> HostOrder:
    """The order of a host in such a sandbox."""
    return HostOrder(
        project=plan.project,
        location_name=plan.location_name,
        code_digest=plan.code_digest,
        module=plan.module,
        root=f"{places.code}/{plan.root}".rstrip("/."),
        capability_file=f"{places.capability_dir}/{plan.capability_file.name}",
        storage_socket=places.storage_socket,
        code_server_socket=f"{places.host_dir}/{SOCKET_NAME}",
        artifact_dir=places.artifact_dir,
        data_dir=places.data_dir,
        sources={
            name: {"path": places.source(name, path), "format": kind}
            for name, (path, kind) in plan.sources.items()
        },
        limits=plan.limits,
        asset_prefix=plan.asset_prefix,
        variables=dict(plan.variables),
        mlflow=plan.mlflow,
        fetched_dir=places.fetched_dir if plan.fetched_dir is not None else None,
    )
