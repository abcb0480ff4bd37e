"""What both sides of the wall know of a project's MLflow: its names, and how requests to it cross."""

from __future__ import annotations

PREFIX = "/mlflow"
RUN_TAG = "phems.run_id"
"""The tag of the one MLflow run of a Dagster run: the id of that."""
ASSET_TAG = "phems.asset"
MODELS = "models"
"""The folder, among a run's outputs, of the models that it registers: `models/NAME/VERSION/FILE`."""
FILE_SCHEME, FILE_SOCKET, FILE_DIGEST = "phems-node", "files.sock", "x-sha256"
"""How its server reaches its files where the node keeps them: by this socket, each with its SHA-256."""
CHUNK_BYTES = 1 << 20
"""A body crosses in parts of at most so many bytes."""
REQUEST_HEADERS = frozenset({"accept", "content-type", "range"})
ANSWER_HEADERS = frozenset({"content-type", "content-disposition", "content-length", "content-range"})


def prefix_of(project: str) -> str:
    """Where a project's MLflow lies: at the gateway, and for its steps."""
    return f"{PREFIX}/{project}"
