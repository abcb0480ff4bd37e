"""Outputs: files that runs wrote to their project's artifact area, known by path and SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from phems.contract.mlflow import MODELS
from phems.domain.relative_paths import check_relative_path
from phems.errors import InputError

# What the node calls a file by its extension. Anything else is plain bytes.
MEDIA_TYPES = {
    "arrow": "application/vnd.apache.arrow.file",
    "csv": "text/csv",
    "feather": "application/vnd.apache.arrow.file",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "log": "text/plain",
    "md": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "safetensors": "application/vnd.safetensors",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
}

_MODEL_PARTS = 3

# outputs, the run, the name
_LEAST_PARTS = 3

_PATH_REMEDY = (
    "Write the file with phems.project's `outputs` under a plain relative name, such as results/table.csv."
)


@dataclass(frozen=True)
class Output:
    """A file that a step of a run wrote. `path` is relative to the project's artifact area."""

    project: str
    run_id: str
    step_key: str
    path: str
    sha256: str
    size: int
    media_type: str
    at: datetime
    declaration: Mapping[str, Any] | None = field(default=None, hash=False)
    """What its author declared (see `phems.contract.disclosure`); None when nothing."""


def extension_of(path: str) -> str:
    """The extension, lower case and without its dot; empty when there is none."""
    return PurePosixPath(path).suffix[1:].lower()


def media_type_of(path: str) -> str:
    """The media type that goes with the extension."""
    return MEDIA_TYPES.get(extension_of(path), "application/octet-stream")


def check_output_path(path: str) -> tuple[str, ...]:
    """The components of an output's path; raises `InputError` for one that climbs or is absolute."""
    return check_relative_path(path, thing="an output", remedy=_PATH_REMEDY)


def check_output_size(path: str, size: int, limit: int) -> None:
    """Raise `InputError` when an output is larger than may be kept. Sizes in bytes."""
    if size > limit:
        raise InputError(
            f"The output {path!r} is too large.",
            why=f"it has {size:,} bytes; the limit is {limit:,}.",
            remedy="Aggregate or split it before writing it, or ask the Operator to raise the limit.",
        )


def check_output_of_run(path: str, run_id: str) -> tuple[str, ...]:
    """The components of an output's path; it must lie in its own run's folder, `outputs/<run id>/`."""
    parts = check_output_path(path)
    if parts[:2] != ("outputs", run_id) or len(parts) < _LEAST_PARTS:
        raise InputError(
            f"The path {path!r} of an output is refused.",
            why=f"an output of this run lies in outputs/{run_id}/.",
            remedy=_PATH_REMEDY,
        )
    return parts


def is_of_model(output_path: str, model: str) -> bool:
    """Whether an output is a file of a registered model's version, `NAME/VERSION`: by its place alone."""
    return name_of(output_path).split("/")[:_MODEL_PARTS] == [MODELS, *model.split("/")]


def name_of(output_path: str) -> str:
    """An output's name as its author gave it: the path without `outputs/<run id>/`."""
    return "/".join(output_path.split("/")[2:])
