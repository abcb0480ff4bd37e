"""The order for one step attempt: all that a step process needs, in one JSON document."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class ResourceLimits:
    """What one step process may use: bytes, seconds, processes and bytes per file."""

    memory: int
    cpu_seconds: int
    processes: int
    file_size: int


@dataclass(frozen=True)
class StepOrder:
    """One step attempt. `run` and `known_state` are Dagster's own serialised forms."""

    capability: str
    run: str
    step_key: str
    attempt: int
    known_state: str
    log_file_key: str
    limits: ResourceLimits
    repository_load_data: str | None = None

    def to_json(self) -> str:
        """The document."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StepOrder:
        """Read the document that the control plane wrote."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "limits": ResourceLimits(**fields["limits"])})


@dataclass(frozen=True)
class HostOrder:
    """What a project host is started with. Paths are those inside the sandbox.

    The node keeps a fresh location capability in `capability_file` for as long as the host lives.
    """

    project: str
    location_name: str
    code_digest: str
    module: str
    root: str
    capability_file: str
    storage_socket: str
    code_server_socket: str
    artifact_dir: str
    data_dir: str
    sources: dict[str, dict[str, str]]
    limits: ResourceLimits
    asset_prefix: str
    variables: dict[str, str] = field(default_factory=dict)
    fetched_dir: str | None = None
    """Where values lie that other machines wrote; None where machines share the artifact area itself."""
    mlflow: bool = False
    """Whether its steps reach an MLflow server of the project."""

    def to_json(self) -> str:
        """The document."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> HostOrder:
        """Read the document that the control plane wrote."""
        fields: dict[str, Any] = json.loads(text)
        return cls(**{**fields, "limits": ResourceLimits(**fields["limits"])})


def code_server_id(project: str, code_digest: str) -> str:
    """What the id of a code server begins with: whose definitions, of which revision, it serves."""
    return f"{project}-{code_digest}-"
