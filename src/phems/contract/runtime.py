"""What project code finds around it when it runs in a node; nothing at all on a laptop.

The project host calls `set_runtime` once in each process that it forks, before any project code runs
there. `phems.project` asks `current_runtime`; `None` means plain `dagster dev`, `dg dev` or a test.

The runtime is a convenience, never a fence: project code may overwrite it as it likes. The sandbox
mounts the granted data sources alone, and the control plane hashes the outputs itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A data source as this process may read it."""

    path: Path
    """The file, readable and never writable."""
    format: str
    """`parquet`, `csv` or `duckdb`."""


@dataclass(frozen=True, slots=True)
class RegisteredOutput:
    """A file of the artifact area that is on record, with the bytes it had when it was hashed."""

    path: str
    """Relative to the artifact area, POSIX: `outputs/<run id>/<name>`."""
    sha256: str
    """64 lower-case hex digits."""
    size: int
    """Bytes."""


class OutputRegistrar(Protocol):
    """Puts a written file on record as an output of the step that runs.

    Idempotent by path within a run: a step that is retried registers the same path again, and the last
    bytes count. The caller has closed the file. The registrar reads it itself and does not follow links.
    """

    def register(self, relative_path: str, declaration: Mapping[str, Any] | None = None) -> RegisteredOutput:
        """Hash and record the file at `relative_path` (see `RegisteredOutput.path`).

        `declaration` is what its author says of it (see `phems.contract.disclosure`). Raises a `PhemsError`.
        """
        ...


class SharedValues(Protocol):
    """Values of the artifact area that machines share: kept for all of them, and found on any.

    Only in a node whose machines share no folder; paths are relative to the artifact area, below `io/`.
    """

    def keep(self, relative_path: str) -> None:
        """Return when the file that this step has written is what every machine finds. Idempotent."""
        ...

    def find(self, relative_path: str) -> Path | None:
        """Where this process can read the value that was last kept; `None` when there is none."""
        ...


class MlflowOfStep(Protocol):
    """The project's MLflow server, as a step knows it; the client of MLflow reaches it by itself."""

    def run(self) -> Mapping[str, str]:
        """The one MLflow run of this Dagster run: `run_id`, `experiment_id`, and the `link` to its page."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """One project's surroundings inside a node."""

    project: str
    data_dir: Path
    """The folder below which the granted data sources lie, as the process sees it."""
    artifact_dir: Path
    """The project's artifact area: the one folder, besides the temporary one, that it may write to."""
    sources: Mapping[str, SourceInfo]
    """The granted data sources by name; one that is not in here is not granted."""
    outputs: OutputRegistrar
    values: SharedValues | None = None
    """`None` where the artifact area is one folder for all."""
    mlflow: MlflowOfStep | None = None
    """`None` where the project has no MLflow."""


_runtime: Runtime | None = None


def set_runtime(runtime: Runtime | None) -> None:
    """Say what `current_runtime` answers in this process from now on; `None` takes it back."""
    global _runtime  # noqa: PLW0603  (one per process, like the working folder)
    _runtime = runtime


def current_runtime() -> Runtime | None:
    """The node's runtime in this process, or `None` when no node runs it."""
    return _runtime
