"""What the small project library finds around it inside a node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phems.contract.runtime import RegisteredOutput, Runtime, SourceInfo
from phems.contract.step_order import HostOrder
from phems.host.storage_client import StorageClient


class WallOutputs:
    """Registers outputs with the control plane, which hashes what lies in the artifact area."""

    def __init__(self, client: StorageClient) -> None:
        self._client = client

    def register(self, relative_path: str, declaration: Mapping[str, Any] | None = None) -> RegisteredOutput:
        """Register one written file by its path below the artifact area, with what is declared of it."""
        declared = dict(declaration) if declaration is not None else None
        answer: dict[str, Any] = self._client.call("outputs", "register", (relative_path, declared), {})
        return RegisteredOutput(**answer)


def node_runtime(host: HostOrder, client: StorageClient) -> Runtime:
    """The runtime of a step process."""
    return Runtime(
        project=host.project,
        data_dir=Path(host.data_dir),
        artifact_dir=Path(host.artifact_dir),
        sources={
            name: SourceInfo(path=Path(source["path"]), format=source["format"])
            for name, source in host.sources.items()
        },
        outputs=WallOutputs(client),
    )
