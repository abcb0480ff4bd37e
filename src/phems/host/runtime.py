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


class WallValues:
    """Has the node keep and fetch values; `artifact_dir` and `fetched_dir` are as this process sees them."""

    def __init__(self, client: StorageClient, artifact_dir: Path, fetched_dir: Path) -> None:
        self._client = client
        self._artifact_dir = artifact_dir
        self._fetched_dir = fetched_dir

    def keep(self, relative_path: str) -> None:
        """See `SharedValues`."""
        self._client.call("values", "keep", (relative_path,), {})

    def find(self, relative_path: str) -> Path | None:
        """See `SharedValues`."""
        found = self._client.call("values", "find", (relative_path,), {})
        if found is None:
            return None
        return self._fetched_dir / found if found else self._artifact_dir / relative_path


class WallMlflow:
    """Asks for the MLflow run of this step's run."""

    def __init__(self, client: StorageClient) -> None:
        self._client = client

    def run(self) -> Mapping[str, str]:
        """See `MlflowOfStep`."""
        found: dict[str, str] = self._client.call("mlflow", "run", (), {})
        return found


def node_runtime(host: HostOrder, client: StorageClient) -> Runtime:
    """The runtime of a step process."""
    artifact_dir = Path(host.artifact_dir)
    return Runtime(
        project=host.project,
        data_dir=Path(host.data_dir),
        artifact_dir=artifact_dir,
        sources={
            name: SourceInfo(path=Path(source["path"]), format=source["format"])
            for name, source in host.sources.items()
        },
        outputs=WallOutputs(client),
        values=WallValues(client, artifact_dir, Path(host.fetched_dir)) if host.fetched_dir else None,
        mlflow=WallMlflow(client) if host.mlflow else None,
    )
